"""pki.db as a place for keys: a Device whose keys are made and used in this process, and lie encrypted in one file.

    store = LocalStore(path, unlock=lambda: [PasswordOpener(password)])
    spki_der = store.device().generate_key_pair(key_id, KeySpec.EC_P384, "Root 0")

`unlock` returns what may open the store; it is asked when a private key is needed, and never for looking or listing.
"""

import fcntl
import os
import sqlite3
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from hsm.device import envelopes, keyring, rewrap, spki
from hsm.device.base import KeyAttributes, KeyRecord
from hsm.device.codes import error_for
from hsm.device.envelopes import Opener, SlotKind
from hsm.device.errors import StoreLockedError
from hsm.device.localdevice import LocalDevice
from hsm.device.rewrap import StoreState
from hsm.device.storefile import StoreFile, creating, now_text

Unlock = Callable[[], Iterable[Opener]]
PrivateKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
# The process that has the data key could hand a key out (it does so for ssl), and says so.
ATTRIBUTES = KeyAttributes(
    sensitive=False, extractable=True, local=True, never_extractable=False, always_sensitive=False
)
SEALS = fcntl.F_SEAL_SEAL | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE


class LocalStore:
    """One pki.db. Keep it for one task: it remembers the data keys once it has opened them."""

    def __init__(self, path: Path, unlock: Unlock) -> None:
        self.path = path
        self._file = StoreFile(path)
        self._unlock = unlock
        self._data_keys: dict[int, bytes] = {}
        self._lock = threading.Lock()

    @classmethod
    def create(cls, path: Path, opener: Opener) -> "LocalStore":
        """Make a new, empty store. Raises StoreError STORE_EXISTS rather than touch a file that is there."""
        with creating(path) as database:
            data_key_id, data_key = keyring.add_data_key(database)
            keyring.add_slot(database, opener, state="active", data_keys={data_key_id: data_key})
        return cls(path, lambda: [opener])

    def device(self) -> LocalDevice:
        """Return the store as a Device."""
        return LocalDevice(self)

    # Opening and changing what opens it

    def check_opens(self) -> None:
        """Raise StoreLockedError unless `unlock` opens the store now."""
        with self._file.reading() as database:
            opened = keyring.open_slot(database, self._unlock())
        with self._lock:
            self._data_keys = opened.data_keys

    def opens_with(self, opener: Opener) -> bool:
        """Say whether this one secret opens the store."""
        try:
            with self._file.reading() as database:
                keyring.open_slot(database, [opener])
        except StoreLockedError:
            return False
        return True

    def state(self) -> StoreState:
        """Return what opens the store, and how far a change has come; needs no secret."""
        return rewrap.read_state(self._file)

    def begin_change(self, kind: SlotKind) -> None:
        """Write down that the store is to open with another secret. Raises StoreError; see `rewrap`."""
        rewrap.begin(self._file, kind, self._unlock())

    def step(self, new: Opener) -> StoreState:
        """Do the next step of a change and return the state after it; `clear_traces` follows the last one.

        Raises StoreError.
        """
        rewrap.advance(self._file, new, self._unlock())
        self._forget_data_keys()
        return self.state()

    def finish(self, new: Opener) -> None:
        """Do all steps that are left, and clear the traces of what was there before."""
        state = self.state()
        while state.change is not None:
            state = self.step(new)
        self.clear_traces()

    def abandon_change(self) -> None:
        """Give a change up, before promotion only; `clear_traces` follows."""
        rewrap.abandon(self._file)
        self._forget_data_keys()

    def clear_traces(self) -> None:
        """Clear from the disk what was removed or replaced; harmless when nothing was. Raises STORE_NOT_CLEARED."""
        self._file.purge()

    def copy_to(self, target: Path) -> None:
        """Write a consistent copy, encrypted as the store itself is, to a new file."""
        self._file.copy_to(target)

    # Keys

    def serial(self) -> str:
        """Return the number of this store, made with it."""
        with self._file.reading() as database:
            (serial,) = database.execute("SELECT serial FROM store").fetchone()
        return str(serial)

    def add(self, key_id: bytes, private_key: PrivateKey, label: str) -> bytes:
        """Keep a private key and return its SubjectPublicKeyInfo. Raises KeyExistsError, StoreError."""
        plain = private_key.private_bytes(
            serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        spki_der = spki.spki_der(private_key.public_key())
        with self._file.writing() as database:
            if database.execute("SELECT 1 FROM envelope WHERE key_id = ?", (key_id,)).fetchone():
                raise error_for("KEY_EXISTS")
            current = keyring.current_data_key_id(database)
            envelope = envelopes.enclose(self._data_key(database, current), plain, key_id=key_id, version=1)
            row = (key_id, 1, current, envelope, label, spki_der, now_text())
            database.execute("INSERT INTO envelope VALUES (?, ?, ?, ?, ?, ?, ?)", row)
        return spki_der

    def find(self, key_id: bytes) -> KeyRecord | None:
        """Return what is known about a key, without opening it."""
        with self._file.reading() as database:
            row = database.execute("SELECT key_id, label, spki FROM envelope WHERE key_id = ?", (key_id,)).fetchone()
        return _record(row) if row else None

    def records(self) -> list[KeyRecord]:
        """Return every key, without opening one."""
        with self._file.reading() as database:
            return [_record(row) for row in database.execute("SELECT key_id, label, spki FROM envelope ORDER BY rowid")]

    def private_key(self, key_id: bytes) -> PrivateKey:
        """Return a private key, for use in this process. Raises KeyMissingError, StoreError."""
        with self._file.reading() as database:
            row = database.execute(
                "SELECT version, data_key_id, envelope FROM envelope WHERE key_id = ?", (key_id,)
            ).fetchone()
            if row is None:
                raise error_for("KEY_MISSING")
            version, data_key_id, envelope = row
            data_key = self._data_key(database, data_key_id)
        plain = envelopes.disclose(data_key, envelope, key_id=key_id, version=version)
        if plain is None:
            raise error_for("STORE_DAMAGED", detail=f"The envelope of key {key_id.hex()} does not open.")
        key = serialization.load_der_private_key(plain, password=None)
        if not isinstance(key, ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey):
            raise error_for("STORE_DAMAGED")
        return key

    @contextmanager
    def private_key_pem_fd(self, key_id: bytes) -> Iterator[int]:
        """Yield a memory file with the key in PEM, for ssl: `load_cert_chain(cert, f"/proc/self/fd/{fd}")`.

        It has no name on a disk, cannot be changed, is not passed to child processes, and is gone after the block.
        """
        pem = self.private_key(key_id).private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        descriptor = os.memfd_create("key", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        try:
            os.write(descriptor, pem)
            fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, SEALS)
            os.lseek(descriptor, 0, os.SEEK_SET)
            yield descriptor
        finally:
            os.close(descriptor)

    def remove(self, key_id: bytes) -> None:
        """Remove a key and clear its traces from the disk; harmless when it is gone. Raises StoreError.

        With STORE_NOT_CLEARED the key is removed, and only the clearing is left for the next call.
        """
        with self._file.writing() as database:
            database.execute("DELETE FROM envelope WHERE key_id = ?", (key_id,))
        self.clear_traces()

    def _data_key(self, database: sqlite3.Connection, data_key_id: int) -> bytes:
        with self._lock:
            if data_key_id not in self._data_keys:
                self._data_keys = keyring.open_slot(database, self._unlock()).data_keys
            if data_key_id not in self._data_keys:
                raise error_for("STORE_DAMAGED")
            return self._data_keys[data_key_id]

    def _forget_data_keys(self) -> None:
        with self._lock:
            self._data_keys = {}


def _record(row: tuple[bytes, str, bytes]) -> KeyRecord:
    key_id, label, spki_der = row
    return KeyRecord(key_id, label, spki_der, has_private=True, has_public=True, attributes=ATTRIBUTES)
