"""pki.db as a place for keys: a Device whose keys are made and used in this process, and lie encrypted in one file.

    store = LocalStore(path, unlock=lambda: [PasswordOpener(password)])
    spki_der = store.device().generate_key_pair(key_id, KeySpec.EC_P384, "Root 0")

`unlock` returns what may open the store; it is asked when a private key is needed, and never for looking or listing.
"""

import sqlite3
import threading
from collections.abc import Callable, Iterable
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from hsm.device import envelopes, keyring, rewrap, spki, storedkeys
from hsm.device.base import KeyRecord, KeySpec
from hsm.device.codes import error_for
from hsm.device.envelopes import Opener, SlotKind
from hsm.device.errors import StoreLockedError
from hsm.device.localdevice import LocalDevice
from hsm.device.objects import KeyFamily, ObjectRecord, Operation
from hsm.device.rewrap import StoreState
from hsm.device.storedkeys import KeyRow
from hsm.device.storefile import StoreFile, creating

Unlock = Callable[[], Iterable[Opener]]
PrivateKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
OWN_OPERATIONS = frozenset({Operation.SIGN, Operation.VERIFY})


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
        """Keep a private key of the console's own and return its SubjectPublicKeyInfo.

        Raises KeyExistsError, StoreError.
        """
        spec = spki.spec_of(private_key.public_key())
        made = self._keep(_pair_row(key_id, spec, label, OWN_OPERATIONS, private_key), own=True)
        return made.spki_der or b""

    def find(self, key_id: bytes) -> KeyRecord | None:
        """Return what is known about a key pair, without opening it."""
        with self._file.reading() as database:
            found = storedkeys.find(database, KeyFamily.KEY_PAIR, key_id, own=True)
        return storedkeys.key_record(found) if found else None

    def records(self) -> list[KeyRecord]:
        """Return every key pair of the console's own, without opening one."""
        with self._file.reading() as database:
            return [storedkeys.key_record(item) for item in storedkeys.find_all(database, own=True)]

    def private_key(self, key_id: bytes) -> PrivateKey:
        """Return a private key, for use in this process. Raises KeyMissingError, StoreError."""
        try:
            key = serialization.load_der_private_key(self._plain(KeyFamily.KEY_PAIR, key_id), password=None)
        except ValueError as error:
            raise error_for("STORE_DAMAGED") from error
        if not isinstance(key, ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey):
            raise error_for("STORE_DAMAGED")
        return key

    def remove(self, key_id: bytes) -> None:
        """Remove a key and clear its traces from the disk; harmless when it is gone. Raises StoreError.

        With STORE_NOT_CLEARED the key is removed, and only the clearing is left for the next call.
        """
        with self._file.writing() as database:
            database.execute("DELETE FROM envelope WHERE key_id = ?", (key_id,))
        self.clear_traces()

    # Security objects

    def keep_pair(
        self,
        key_id: bytes,
        spec: KeySpec,
        label: str,
        operations: frozenset[Operation],
        private_key: PrivateKey,
        *,
        imported: bool = False,
    ) -> ObjectRecord:
        """Keep a key pair of a group. Raises KeyExistsError, StoreError."""
        return self._keep(_pair_row(key_id, spec, label, operations, private_key), imported=imported)

    def keep_secret(
        self,
        key_id: bytes,
        spec: KeySpec,
        label: str,
        operations: frozenset[Operation],
        secret: bytes,
        *,
        imported: bool = False,
    ) -> ObjectRecord:
        """Keep a secret key of a group. Raises KeyExistsError, StoreError."""
        row = KeyRow(key_id, KeyFamily.SECRET_KEY, spec, label, operations, b"", secret)
        return self._keep(row, imported=imported)

    def read(self, family: KeyFamily, key_id: bytes) -> ObjectRecord | None:
        """Return what is known about a security object, without opening it."""
        with self._file.reading() as database:
            return storedkeys.find(database, family, key_id)

    def read_all(self) -> list[ObjectRecord]:
        """Return every security object, without opening one."""
        with self._file.reading() as database:
            return storedkeys.find_all(database, own=False)

    def secret(self, key_id: bytes) -> bytes:
        """Return a secret key, for use in this process. Raises KeyMissingError, StoreError."""
        return self._plain(KeyFamily.SECRET_KEY, key_id)

    def set_operations(self, family: KeyFamily, key_id: bytes, operations: frozenset[Operation]) -> None:
        """Write down what a security object is permitted to do."""
        with self._file.writing() as database:
            storedkeys.set_operations(database, family, key_id, operations)

    def remove_private(self, key_id: bytes) -> None:
        """Remove the private half of a security object, and clear its traces as `remove` does."""
        with self._file.writing() as database:
            database.execute(
                "UPDATE envelope SET envelope = x'' WHERE key_id = ? AND own = 0 AND spki <> x''", (key_id,)
            )
        self.clear_traces()

    def remove_object(self, family: KeyFamily, key_id: bytes, spki_der: bytes | None) -> None:
        """Remove a security object, as `remove` does. Raises DeviceError KEY_DIFFERS, with nothing removed."""
        with self._file.writing() as database:
            found = storedkeys.find(database, family, key_id)
            if found and spki_der and found.spki_der and found.spki_der != spki_der:
                raise error_for("KEY_DIFFERS")
            database.execute("DELETE FROM envelope WHERE key_id = ? AND family = ? AND own = 0", (key_id, family.value))
        self.clear_traces()

    def _keep(self, row: KeyRow, *, own: bool = False, imported: bool = False) -> ObjectRecord:
        with self._file.writing() as database:
            if database.execute("SELECT 1 FROM envelope WHERE key_id = ?", (row.key_id,)).fetchone():
                raise error_for("KEY_EXISTS")
            current = keyring.current_data_key_id(database)
            envelope = envelopes.enclose(self._data_key(database, current), row.plain, key_id=row.key_id, version=1)
            storedkeys.insert(database, row, current, envelope, own=own, imported=imported)
            kept = storedkeys.find(database, row.family, row.key_id, own=own)
        if kept is None:
            raise error_for("STORE_DAMAGED")
        return kept

    def _plain(self, family: KeyFamily, key_id: bytes) -> bytes:
        with self._file.reading() as database:
            row = database.execute(
                "SELECT version, data_key_id, envelope FROM envelope WHERE key_id = ? AND family = ?",
                (key_id, family.value),
            ).fetchone()
            if row is None or not row[2]:
                raise error_for("KEY_MISSING")
            version, data_key_id, envelope = row
            data_key = self._data_key(database, data_key_id)
        plain = envelopes.disclose(data_key, envelope, key_id=key_id, version=version)
        if plain is None:
            raise error_for("STORE_DAMAGED", detail=f"The envelope of key {key_id.hex()} does not open.")
        return plain

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


def _pair_row(
    key_id: bytes, spec: KeySpec | None, label: str, operations: frozenset[Operation], private_key: PrivateKey
) -> KeyRow:
    plain = private_key.private_bytes(
        serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return KeyRow(key_id, KeyFamily.KEY_PAIR, spec, label, operations, spki.spki_der(private_key.public_key()), plain)
