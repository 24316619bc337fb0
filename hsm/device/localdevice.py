"""The Device port over pki.db. It passes the same conformance suite as a token."""

import secrets
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed

from hsm.device import spki
from hsm.device.base import (
    PAIR_SPECS,
    Capabilities,
    KeyRecord,
    KeySpec,
    SignatureScheme,
    TestLine,
    TokenFlag,
    TokenInfo,
)
from hsm.device.codes import check_key_id, error_for
from hsm.device.errors import DeviceError

if TYPE_CHECKING:
    from hsm.device.local import LocalStore

PUBLIC_EXPONENT = 65537


class LocalDevice:
    """Implements `Device` and `SelfTesting`."""

    def __init__(self, store: "LocalStore") -> None:
        self._store = store

    def token(self) -> TokenInfo:
        """Describe the store as a token."""
        return TokenInfo(
            module=str(self._store.path),
            slot_id=0,
            label=self._store.path.name,
            serial=self._store.serial(),
            manufacturer="Keystead",
            model="key store file",
            firmware="1",
            flags=frozenset({TokenFlag.INITIALIZED}),
        )

    def generate_key_pair(self, key_id: bytes, spec: KeySpec, label: str) -> bytes:
        """Make a key pair and keep it; return its SubjectPublicKeyInfo."""
        check_key_id(key_id)
        self._store.check_opens()
        return self._store.add(key_id, _new_key(spec), label)

    def find(self, key_id: bytes) -> KeyRecord | None:
        """Return the key, or None."""
        check_key_id(key_id)
        return self._store.find(key_id)

    def sign(self, key_id: bytes, digest: bytes, scheme: SignatureScheme) -> bytes:
        """Sign a digest."""
        check_key_id(key_id)
        spki.check_fits(scheme, digest)
        return _sign(self._store.private_key(key_id), digest, scheme)

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


def _new_key(spec: KeySpec) -> ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey:
    if spec.is_ec:
        return ec.generate_private_key(spki.SPEC_CURVES[spec])
    return rsa.generate_private_key(PUBLIC_EXPONENT, spki.RSA_BITS[spec])


def _sign(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey, digest: bytes, scheme: SignatureScheme) -> bytes:
    if isinstance(key, ec.EllipticCurvePrivateKey) is not scheme.is_ec:
        raise error_for("SCHEME_MISMATCH")
    prehashed = Prehashed(spki.HASHES[scheme.hash_name])
    if isinstance(key, ec.EllipticCurvePrivateKey):
        return key.sign(digest, ec.ECDSA(prehashed))
    return key.sign(digest, spki.rsa_padding(scheme), prehashed)


def _try(spec: KeySpec) -> None:
    key, scheme = _new_key(spec), spki.natural_scheme(spec)
    digest = spki.sample_digest(scheme, secrets.token_bytes(32))
    if not spki.verifies(key.public_key(), _sign(key, digest, scheme), digest, scheme):
        raise error_for("SIGNATURE_WRONG")
