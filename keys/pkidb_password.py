"""Set, change and delete the password of pki.db (SET-26 to SET-29, SET-45, SET-46).

The setting changes first, in the web process, and keeps its former value; this job then brings the file to it. Each
step of `hsm.device.rewrap` is one transaction of the file, and the former value is forgotten last: a worker that is
killed anywhere leaves a file that opens, and the next attempt goes on from there.
"""

from collections.abc import Callable

from django.db import transaction

from console import pkilog
from console.activity import log
from console.lib import clock
from console.lib.actor import Actor
from console.lib.errors import RefusedError
from console.servers.current import current
from hsm.device.errors import StoreLockedError
from hsm.device.local import LocalStore
from hsm.device.rewrap import ChangeStep
from keys import keystore, resealing
from keys.actions import Action
from keys.models.keystore import KeyStore, Protection
from settings_store import store as settings_rows
from settings_store.values import SealedValue

Progress = Callable[[int, int, str], None]


class WrongPasswordError(RefusedError):
    """Neither the password that is set nor a former one opens the file."""

    def __init__(self, *, is_set: bool) -> None:
        said = "The password in PKIDatabasePassword" if is_set else "Without PKIDatabasePassword the console"
        super().__init__(
            f"{said} does not open pki.db, so its keys cannot be used. Nothing was re-encrypted.",
            code="STORE_LOCKED",
            next_step="Enter the password that opens pki.db now in PKIDatabasePassword. When that works, change it.",
        )


def bring_about(*, actor: Actor, progress: Progress) -> str:
    """Make the file open with what the setting says now, and return what was done.

    Raises WrongPasswordError, StoreError, and UnavailableError while another job does the same.
    """
    with keystore.open_local_store() as store, keystore.exclusive():
        row = KeyStore.objects.get(server=current())
        value = keystore.wanted()
        target = value.version if value else ""
        _settle_earlier_change(store, row, target)
        if not _opens_as_wanted(store, value):
            _begin(store, row, target, value)
        _go_on(store, value, progress)
        store.clear_traces()  # of this change, or of an attempt that was stopped before it came to this
        return _record(row, value, actor=actor)


def _settle_earlier_change(store: LocalStore, row: KeyStore, target: str) -> None:
    resealing.mend(store)
    change = store.state().change
    if change is ChangeStep.PROMOTED:
        store.finish(keystore.sealing_opener())  # only the old slot is left to go: no secret is needed
    elif change is not None and row.target_version != target:
        store.abandon_change()  # the setting has changed again; what opened the file before still does


def _opens_as_wanted(store: LocalStore, value: SealedValue | None) -> bool:
    state, opener = store.state(), keystore.opener_of(value)
    return state.change is None and state.opens_with is opener.kind and store.opens_with(opener)


def _begin(store: LocalStore, row: KeyStore, target: str, value: SealedValue | None) -> None:
    if store.state().change is not None:
        return  # an earlier attempt began this very change
    KeyStore.objects.filter(pk=row.pk).update(target_version=target)
    try:
        store.begin_change(keystore.opener_of(value).kind)
    except StoreLockedError as error:
        refusal = WrongPasswordError(is_set=value is not None)
        pkilog.write("key-store", component="keys", subject="pki.db", result=refusal.code, level=pkilog.Level.ERROR)
        KeyStore.objects.filter(pk=row.pk).update(
            target_version=None, problem=refusal.message, problem_code=refusal.code
        )
        raise refusal from error


def _go_on(store: LocalStore, value: SealedValue | None, progress: Progress) -> None:
    state, opener = store.state(), keystore.opener_of(value)
    while state.change is not None:
        progress(state.done, state.total, SAYS[state.change])
        state = store.step(opener)


def _record(row: KeyStore, value: SealedValue | None, *, actor: Actor) -> str:
    target = value.version if value else ""
    protection = Protection.PASSWORD if value else Protection.SEALING
    with transaction.atomic():
        before = KeyStore.objects.select_for_update().get(pk=row.pk)
        KeyStore.objects.filter(pk=row.pk).update(
            protection=protection, password_version=target, target_version=None, problem="", problem_code=""
        )
        # A value that was entered meanwhile has made this one a former one, which the file still needs.
        settings_rows.forget_former(keystore.PASSWORD_SETTING, kept=[target])
        if (before.protection, before.password_version) == (protection, target):
            return "pki.db opens with what is set. Nothing had to be changed."
        KeyStore.objects.filter(pk=row.pk).update(changed_at=clock.now())
        action = _action(before, protection)
        log.append(action, row.subject, actor=actor)
    pkilog.write("key-store", component="keys", subject="pki.db", result=action.rpartition(".")[2])
    return SAID[action]


def _action(before: KeyStore, protection: Protection) -> Action:
    if protection is Protection.SEALING:
        return Action.STORE_PASSWORD_REMOVED
    if before.protection == Protection.SEALING:
        return Action.STORE_PASSWORD_SET
    return Action.STORE_PASSWORD_CHANGED


SAYS = {
    ChangeStep.PENDING: "Preparing the second key slot",
    ChangeStep.SECOND_SLOT: "Encrypting the private keys again",
    ChangeStep.PROMOTED: "Removing the old key slot",
}
SAID = {
    Action.STORE_PASSWORD_SET: "pki.db is encrypted by PKIDatabasePassword now. Store the password in a safe place.",
    Action.STORE_PASSWORD_CHANGED: "pki.db is encrypted by the new password now; the old one no longer opens it.",
    Action.STORE_PASSWORD_REMOVED: "pki.db is wrapped by the server's sealing key now.",
}
