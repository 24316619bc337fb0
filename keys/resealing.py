"""Replace the sealing key of this server, and seal everything again: rows of the database, and the slot of pki.db.

At every moment one of the two key files opens everything, so a crash anywhere is mended by running it again:

    sealing.key.next      the new pair is written beside the old one
    pki.db                a second slot opens with the new key; the first one stays
    database              every sealed row, and the public half in the server's row, in one transaction
    sealing.key           the new pair takes the place of the old one
    pki.db                the old slot goes
"""

import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings
from django.db import transaction
from django.db.models import Model

from console.activity import log
from console.jobs.models import Job, State
from console.jobs.sweeping import settle_lost
from console.lib import clock
from console.lib.actor import Actor
from console.lib.errors import RefusedError, UnavailableError
from console.lib.opening import worker_pair
from console.lib.sealing import SealingPublic
from console.lib.sealingpair import SealingPair
from console.servers.current import current
from console.servers.models import Server
from hsm.bindings import PIN_PURPOSE
from hsm.connections import sealed as groups
from hsm.device.envelopes import SealingOpener, SlotKind
from hsm.device.local import LocalStore
from hsm.device.rewrap import ChangeStep, StoreState
from hsm.models.drafts import ConnectionDraft, StagedClientPair
from hsm.models.groups import Connection, Group
from hsm.models.objects import KeyMaterial, KeyUse
from hsm.models.tokens import TokenBinding
from keys import keystore
from keys.actions import Action
from keys.backup import asking
from keys.models.backup import Backup
from settings_store.models import FormerValue, Setting
from settings_store.sealing import PURPOSE as SETTING_PURPOSE


@dataclass(frozen=True)
class SealedField:
    """A column that holds sealed values, what binds each value to its row, and how the row leads to its server."""

    model: type[Model]
    column: str
    purpose: str
    row_id: Callable[[Model], str]
    server: str = "server"


def _by(column: str) -> Callable[[Model], str]:
    return lambda row: str(getattr(row, column))


SEALED = (
    SealedField(Setting, "sealed", SETTING_PURPOSE, _by("pk")),
    SealedField(FormerValue, "sealed", SETTING_PURPOSE, _by("setting_id")),
    SealedField(TokenBinding, "sealed_pin", PIN_PURPOSE, _by("pk")),
    SealedField(Backup, "sealed_passphrase", asking.PURPOSE, _by("pk")),
    SealedField(Connection, "sealed_pin", groups.PIN_PURPOSE, _by("pk"), "group__server"),
    SealedField(Group, "sealed_client_key", groups.CLIENT_KEY_PURPOSE, _by("pk")),
    SealedField(StagedClientPair, "sealed_key", groups.CLIENT_KEY_PURPOSE, _by("group_id"), "group__server"),
    SealedField(ConnectionDraft, "sealed_pin", groups.PIN_PURPOSE, _by("connection_ref")),
    SealedField(ConnectionDraft, "sealed_client_key", groups.CLIENT_KEY_PURPOSE, _by("group_ref")),
    SealedField(KeyMaterial, "sealed", "import-material", _by("object_id"), "object__group__server"),
    SealedField(KeyMaterial, "sealed_passphrase", "import-passphrase", _by("object_id"), "object__group__server"),
    SealedField(KeyUse, "sealed_input", "key-use", _by("pk"), "object__group__server"),
)


def rotate(*, actor: Actor) -> int:
    """Replace the sealing key, or go on where a crash stopped it; return the number of rows sealed again.

    The console must be stopped: a value that is sealed meanwhile would be lost. Raises RefusedError while a job
    runs, and what opening a row or pki.db raises: nothing is changed then.
    """
    settle_lost(current(), clock.now())  # of a stopped console nobody else does
    if Job.objects.filter(server=current(), state=State.RUNNING).exists():
        raise RefusedError(
            "A job is running. Nothing was changed.", code="console-runs", next_step="Stop the console, then try again."
        )
    with keystore.exclusive():
        if not is_interrupted():
            mend(LocalStore(settings.PKI_DATABASE, keystore.openers))
        new = _next_pair()
        count = 0
        if current().sealing_public != new.public.raw.hex():
            _add_slot(new)
            count = _seal_rows(worker_pair(), new, actor=actor)
        _take_place()
        worker_pair.cache_clear()
        mend(LocalStore(settings.PKI_DATABASE, keystore.openers))
    return count


_other_pairs: list[Callable[[], None]] = []


def register_pair(replace: Callable[[], None]) -> None:
    """Add the replacement of a pair that another process opens with; nothing that lasts is sealed for it."""
    if replace not in _other_pairs:
        _other_pairs.append(replace)


def replace_other_pairs() -> int:
    """Replace the pairs of other processes; harmless when repeated. Return how many there are."""
    for replace in _other_pairs:
        replace()
    return len(_other_pairs)


def mend(store: LocalStore) -> None:
    """Remove the old slot that a replacement left in pki.db; nothing when there is none.

    Raises UnavailableError while the replacement is still to be gone on with: the old slot is needed until then.
    """
    state = store.state()
    if state.change is None or (state.opens_with, state.changing_to) != (SlotKind.SEALING, SlotKind.SEALING):
        return
    if is_interrupted():
        raise UnavailableError(
            "The replacement of the sealing key was interrupted. pki.db was not changed.",
            code="sealing-interrupted",
            next_step="Stop the console and run manage.py sealing rotate again.",
        )
    store.finish(keystore.sealing_opener())


def is_interrupted() -> bool:
    """Whether a replacement has begun that did not come to its end."""
    return any(_next(path).exists() for path in (settings.SEALING_KEY_FILE, settings.SEALING_PUBLIC_FILE))


def _next(path: Path) -> Path:
    return path.with_name(f"{path.name}.next")


def _next_pair() -> SealingPair:
    """Return the new pair, made now or before the crash.

    A pair that was not written whole opens nothing yet, and is made again. With only the public half left, the
    private one has taken its place.
    """
    private, public = _next(settings.SEALING_KEY_FILE), _next(settings.SEALING_PUBLIC_FILE)
    if public.exists() and not private.exists():
        return SealingPair.load(settings.SEALING_KEY_FILE)
    with suppress(UnavailableError):
        pair = SealingPair.load(private)
        if SealingPublic.load(public) == pair.public:
            return pair
    private.unlink(missing_ok=True)
    public.unlink(missing_ok=True)
    pair = SealingPair.generate()
    pair.save(private, public)
    return pair


def _add_slot(new: SealingPair) -> None:
    opener = SealingOpener(lambda: new.derive(keystore.SEALING_PURPOSE))
    store = LocalStore(settings.PKI_DATABASE, lambda: [*keystore.openers(), opener])
    state = store.state()
    if state.change is not None and state.changing_to is not state.opens_with:
        raise RefusedError(
            "PKIDatabasePassword is being changed. Nothing was sealed again.",
            code="store-changing",
            next_step="Start the console, let the job end, stop it and try again.",
        )
    if state.opens_with is SlotKind.PASSWORD:
        return  # the password is a sealed row
    if state.change is None:
        store.begin_change(SlotKind.SEALING)
    while not _is_ready(store.state()):
        store.step(opener)


def _is_ready(state: StoreState) -> bool:
    # The next step would promote the new slot: from then on the old key file opens nothing, so that comes last.
    return state.change is ChangeStep.SECOND_SLOT and state.done == state.total


def _seal_rows(old: SealingPair, new: SealingPair, *, actor: Actor) -> int:
    server, count = current(), 0
    with transaction.atomic():
        for sealed in SEALED:
            for row in sealed.model._base_manager.filter(**{sealed.server: server}).exclude(**{sealed.column: None}):
                place = {"purpose": sealed.purpose, "row_id": sealed.row_id(row)}
                secret = old.open(bytes(getattr(row, sealed.column)), **place)
                again = new.public.seal(secret.reveal_bytes(), **place)
                sealed.model._base_manager.filter(pk=row.pk).update(**{sealed.column: again})
                count += 1
        Server.objects.filter(pk=server.pk).update(sealing_public=new.public.raw.hex())
        details = {"rows": count, "public key": new.public.fingerprint}
        log.append(Action.SEALING_ROTATED, server.subject, actor=actor, details=details)
    return count


def _take_place() -> None:
    for path in (settings.SEALING_KEY_FILE, settings.SEALING_PUBLIC_FILE):
        if _next(path).exists():
            _next(path).replace(path)
    _sync(settings.SEALING_KEY_FILE.parent)


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
