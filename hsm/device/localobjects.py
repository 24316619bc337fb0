"""The security objects of pki.db: the part of `LocalDevice` for `ObjectDevice`."""

from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.asymmetric import ec, rsa

from hsm.device import limits, softcrypto, spki
from hsm.device.base import KeySpec, SecretLike, SignatureScheme, TokenFlag, TokenInfo
from hsm.device.codes import check_any_key_id, error_for
from hsm.device.envelopes import new_data_key
from hsm.device.listing import make_listing
from hsm.device.material import pair_of, secret_of
from hsm.device.objects import (
    PRIVATE_OPERATIONS,
    CipherScheme,
    KeyFamily,
    Listing,
    ObjectRecord,
    Operation,
    operations_of,
)

if TYPE_CHECKING:
    from hsm.device.local import LocalStore

PUBLIC_EXPONENT = 65537


class LocalObjects:
    """Keys that are made and used in this process, and lie encrypted in one file."""

    _store: "LocalStore"

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

    def generate(self, key_id: bytes, spec: KeySpec, label: str, operations: frozenset[Operation]) -> ObjectRecord:
        """Make a key and keep it."""
        limits.check_new(key_id, spec, operations)
        self._store.check_opens()
        if spec.is_aes:
            return self._store.keep_secret(key_id, spec, label, operations, new_data_key(spec.bits))
        return self._store.keep_pair(key_id, spec, label, operations, new_pair(spec))

    def import_key(
        self, key_id: bytes, spec: KeySpec, label: str, operations: frozenset[Operation], material: SecretLike
    ) -> ObjectRecord:
        """Keep a key that somebody else made."""
        limits.check_new(key_id, spec, operations)
        if spec.is_aes:
            secret = secret_of(spec, material)
            return self._store.keep_secret(key_id, spec, label, operations, secret, imported=True)
        pair = pair_of(spec, material)
        return self._store.keep_pair(key_id, spec, label, operations, pair, imported=True)

    def read(self, family: KeyFamily, key_id: bytes) -> ObjectRecord | None:
        """Return the key, or None."""
        check_any_key_id(key_id)
        return self._store.read(family, key_id)

    def read_all(self, known_digest: str = "") -> Listing:
        """Return every key of the file."""
        return make_listing(self.token(), self._store.read_all(), (), known_digest)

    def permit(self, family: KeyFamily, key_id: bytes, operations: frozenset[Operation]) -> ObjectRecord:
        """Write the permissions down."""
        found = self._existing(family, key_id)
        if found.spec is not None and not operations <= operations_of(found.spec):
            raise error_for("OPERATION_NOT_PERMITTED")
        if family is KeyFamily.KEY_PAIR and not found.has_private and operations & PRIVATE_OPERATIONS:
            raise error_for("KEY_MISSING")
        self._store.set_operations(family, key_id, operations)
        return self._existing(family, key_id)

    def remove_private(self, key_id: bytes) -> None:
        """Remove the private half and its traces."""
        check_any_key_id(key_id)
        self._store.remove_private(key_id)

    def remove(self, family: KeyFamily, key_id: bytes, spki_der: bytes | None) -> None:
        """Remove the key and its traces."""
        check_any_key_id(key_id)
        self._store.remove_object(family, key_id, spki_der)

    def sign_data(self, family: KeyFamily, key_id: bytes, data: bytes, scheme: str) -> bytes:
        """Sign."""
        known = limits.signing_scheme(family, key_id, data, scheme)
        self._permitted(family, key_id, Operation.SIGN)
        if isinstance(known, SignatureScheme):
            return softcrypto.sign(self._store.private_key(key_id), data, known)
        return softcrypto.mac(self._store.secret(key_id), data)

    def verify_data(self, family: KeyFamily, key_id: bytes, data: bytes, signature: bytes, scheme: str) -> bool:
        """Verify; for a pair the store stays closed."""
        known = limits.signing_scheme(family, key_id, data, scheme)
        found = self._permitted(family, key_id, Operation.VERIFY)
        if isinstance(known, SignatureScheme):
            return softcrypto.verify(spki.load(found.spki_der or b""), data, signature, known)
        return softcrypto.mac_fits(self._store.secret(key_id), data, signature)

    def encrypt(self, family: KeyFamily, key_id: bytes, data: bytes, scheme: CipherScheme) -> bytes:
        """Encrypt; for a pair the store stays closed."""
        limits.check_cipher(family, key_id, scheme)
        limits.check_plaintext(data)
        found = self._permitted(family, key_id, Operation.ENCRYPT)
        if scheme is CipherScheme.RSA_OAEP_SHA1:
            return softcrypto.oaep_encrypt(spki.load(found.spki_der or b""), data)
        return softcrypto.seal(self._store.secret(key_id), data)

    def decrypt(self, family: KeyFamily, key_id: bytes, data: bytes, scheme: CipherScheme) -> bytes:
        """Decrypt."""
        limits.check_cipher(family, key_id, scheme)
        limits.check_ciphertext(data, scheme)
        self._permitted(family, key_id, Operation.DECRYPT)
        if scheme is CipherScheme.RSA_OAEP_SHA1:
            return softcrypto.oaep_decrypt(self._store.private_key(key_id), data)
        return softcrypto.open_sealed(self._store.secret(key_id), data)

    def probe(self) -> TokenInfo:
        """Prove that the file is there and opens."""
        self._store.check_opens()
        return self.token()

    def _existing(self, family: KeyFamily, key_id: bytes) -> ObjectRecord:
        found = self.read(family, key_id)
        if found is None:
            raise error_for("KEY_MISSING")
        return found

    def _permitted(self, family: KeyFamily, key_id: bytes, operation: Operation) -> ObjectRecord:
        found = self._existing(family, key_id)
        if operation not in found.operations:
            raise error_for("OPERATION_NOT_PERMITTED")
        return found


def new_pair(spec: KeySpec) -> ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey:
    """Return a new private key, in memory only."""
    if spec.is_ec:
        return ec.generate_private_key(spki.SPEC_CURVES[spec])
    return rsa.generate_private_key(PUBLIC_EXPONENT, spki.RSA_BITS[spec])
