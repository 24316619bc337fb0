"""The Device port over pki.db. It passes the same conformance suite as a token."""

import secrets
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from hsm.device import softcrypto, spki
from hsm.device.base import (
    PAIR_SPECS,
    Capabilities,
    KeyRecord,
    KeySpec,
    SignatureScheme,
    TestLine,
)
from hsm.device.codes import check_key_id, error_for
from hsm.device.errors import DeviceError
from hsm.device.localobjects import LocalObjects, new_pair

if TYPE_CHECKING:
    from hsm.device.local import LocalStore


class LocalDevice(LocalObjects):
    """Implements `Device` and `SelfTesting` for the console's own keys, `ObjectDevice` for those of groups."""

    def __init__(self, store: "LocalStore") -> None:
        self._store = store

    def generate_key_pair(self, key_id: bytes, spec: KeySpec, label: str) -> bytes:
        """Make a key pair and keep it; return its SubjectPublicKeyInfo."""
        check_key_id(key_id)
        self._store.check_opens()
        return self._store.add(key_id, new_pair(spec), label)

    def find(self, key_id: bytes) -> KeyRecord | None:
        """Return the key, or None."""
        check_key_id(key_id)
        return self._store.find(key_id)

    def sign(self, key_id: bytes, digest: bytes, scheme: SignatureScheme) -> bytes:
        """Sign a digest."""
        check_key_id(key_id)
        spki.check_fits(scheme, digest)
        return softcrypto.sign(self._store.private_key(key_id), digest, scheme)

    def destroy(self, key_id: bytes) -> None:
        """Remove the key from the file."""
        check_key_id(key_id)
        self._store.remove(key_id)

    def list_keys(self) -> Iterator[KeyRecord]:
        """Return every key."""
        return iter(self._store.records())

    def capabilities(self) -> Capabilities:
        """Return what the store can do: everything that the port knows."""
        return Capabilities(frozenset(), frozenset(PAIR_SPECS), frozenset(SignatureScheme))

    def self_test(self, specs: Sequence[KeySpec] = (KeySpec.EC_P384,)) -> tuple[TestLine, ...]:
        """Open the store; make a key of each kind in memory, sign and verify."""
        name = f"Open {self._store.path.name}"
        lines = []
        try:
            self._store.check_opens()
            lines.append(TestLine(name, ok=True))
            for spec in specs:
                name = f"Make a key, sign and verify ({spec.value})"
                _try(spec)
                lines.append(TestLine(name, ok=True))
        except DeviceError as error:
            lines.append(TestLine(name, ok=False, detail=error.message, code=error.code, next_step=error.next_step))
        return tuple(lines)


def _try(spec: KeySpec) -> None:
    key, scheme = new_pair(spec), spki.natural_scheme(spec)
    digest = spki.sample_digest(scheme, secrets.token_bytes(32))
    if not spki.verifies(key.public_key(), softcrypto.sign(key, digest, scheme), digest, scheme):
        raise error_for("SIGNATURE_WRONG")
