"""Open pki.db: the one place that knows what opens it. For the worker; import contracts keep it from the web.

The password that is set opens the file, and until a change of password is done so do those that it replaces
(docs/design.md §5); while none is set, the sealing key of the server does. Settings are read anew each time.
"""

import fcntl
import os
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from threading import Lock

from django.conf import settings

from console.lib import clock
from console.lib.errors import UnavailableError
from console.lib.opening import worker_pair
from console.servers.current import current
from hsm.device.envelopes import Opener, PasswordOpener, SealingOpener, SlotKind
from hsm.device.errors import StoreError
from hsm.device.local import LocalStore
from keys.models.keystore import KeyStore
from settings_store import values
from settings_store.opening import reveal
from settings_store.values import SealedValue

PASSWORD_SETTING = "PKIDatabasePassword"  # noqa: S105 - the name of a setting
SEALING_PURPOSE = "pki.db"
REMEMBERED = 8


@contextmanager
def open_local_store() -> Iterator[LocalStore]:
    """Yield this server's pki.db, made on first use.

    Nothing is unlocked before a private key is needed: StoreLockedError comes then, and means that the password
    which is set does not open the file. Raises StoreError STORE_MISSING for a file that was made once and is gone.
    """
    store = LocalStore(settings.PKI_DATABASE, openers)
    if not store.path.exists() or not KeyStore.objects.filter(server=current()).exists():
        _create(store)
    yield store


def openers() -> list[Opener]:
    """Return what may open the file, the likeliest first."""
    found: list[Opener] = []
    for value in _candidates():
        with suppress(UnavailableError):  # sealed for another key: one of the others may open all the same
            found.append(password_opener(value))
    return [*found, sealing_opener()]


def wanted() -> SealedValue | None:
    """Return the password that is to open the file; None for the sealing key."""
    return values.sealed(PASSWORD_SETTING)


def opener_of(value: SealedValue | None) -> Opener:
    """Return the opener for an entered password, or for the sealing key."""
    return sealing_opener() if value is None else password_opener(value)


def password_opener(value: SealedValue) -> Opener:
    """Return the opener for an entered password; raises UnavailableError when the sealing key does not open it."""
    return RememberingOpener(PasswordOpener(reveal(value)), value.version)


def sealing_opener() -> Opener:
    """Return the opener by the sealing key of this server."""
    return SealingOpener(lambda: worker_pair().derive(SEALING_PURPOSE))


@contextmanager
def exclusive() -> Iterator[None]:
    """Hold the right to change what opens the file; the kernel gives it back when the process dies.

    Raises UnavailableError when another process has it.
    """
    path = settings.PKI_DATABASE.with_name(settings.PKI_DATABASE.name + ".lock")
    descriptor = os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise UnavailableError(
                "Another job is changing or copying pki.db. Nothing was changed.", next_step="Try again in a moment."
            ) from error
        yield
    finally:
        os.close(descriptor)


@dataclass(frozen=True)
class RememberingOpener:
    """Derives a slot key once for each entered password and salt: scrypt takes a tenth of a second each time."""

    opener: PasswordOpener
    version: str
    kind: SlotKind = field(default=SlotKind.PASSWORD, init=False)

    def slot_key(self, salt: bytes) -> bytes:
        """Return the key of a slot."""
        with _lock:
            if found := _slot_keys.get((self.version, salt)):
                return found
        derived = self.opener.slot_key(salt)
        with _lock:
            _slot_keys[self.version, salt] = derived
            while len(_slot_keys) > REMEMBERED:
                _slot_keys.popitem(last=False)
        return derived


_slot_keys: OrderedDict[tuple[str, bytes], bytes] = OrderedDict()
_lock = Lock()


def _candidates() -> list[SealedValue]:
    value = wanted()
    return [*([value] if value else []), *values.former(PASSWORD_SETTING, server=current())]


def _create(store: LocalStore) -> None:
    server = current()
    if KeyStore.objects.filter(server=server).exists():
        return  # it was there once: the store itself says that it is missing
    value = wanted()
    if not store.path.exists():
        store.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            LocalStore.create(store.path, opener_of(value))
        except StoreError as error:
            if error.code != "STORE_EXISTS":  # another worker was faster
                raise
    kind = store.state().opens_with
    KeyStore.objects.get_or_create(
        server=server,
        defaults={
            "protection": kind.value,
            "password_version": value.version if value and kind is SlotKind.PASSWORD else "",
            "changed_at": clock.now(),
        },
    )
