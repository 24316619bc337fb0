"""What a token does with a key, done by this process with `cryptography`: for keys in pki.db."""

import secrets

from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.cmac import CMAC

from hsm.device import spki
from hsm.device.base import SignatureScheme
from hsm.device.codes import error_for
from hsm.device.limits import OAEP_SURPLUS_BYTES

PrivateKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
IV_BYTES = 12
# RFC 8017 §7.1 with SHA-1, as tokens offer it; OAEP does not need collision resistance (§7.1, note on security).
OAEP = padding.OAEP(padding.MGF1(hashes.SHA1()), hashes.SHA1(), None)  # noqa: S303


def sign(key: PrivateKey, digest: bytes, scheme: SignatureScheme) -> bytes:
    """Sign a digest. Raises DeviceError SCHEME_MISMATCH."""
    _check_kind(key, scheme)
    prehashed = Prehashed(spki.HASHES[scheme.hash_name])
    if isinstance(key, ec.EllipticCurvePrivateKey):
        return key.sign(digest, ec.ECDSA(prehashed))
    return key.sign(digest, spki.rsa_padding(scheme), prehashed)


def verify(key: spki.PublicKey, digest: bytes, signature: bytes, scheme: SignatureScheme) -> bool:
    """Say whether the signature fits. Raises DeviceError SCHEME_MISMATCH."""
    _check_kind(key, scheme)
    return spki.verifies(key, signature, digest, scheme)


def mac(secret: bytes, data: bytes) -> bytes:
    """Return AES-CMAC."""
    made = CMAC(AES(secret))
    made.update(data)
    return made.finalize()


def mac_fits(secret: bytes, data: bytes, signature: bytes) -> bool:
    """Say whether the CMAC fits, in constant time."""
    made = CMAC(AES(secret))
    made.update(data)
    try:
        made.verify(signature)
    except InvalidSignature:
        return False
    return True


def seal(secret: bytes, data: bytes) -> bytes:
    """Encrypt with AES-GCM: IV, ciphertext, tag."""
    iv = secrets.token_bytes(IV_BYTES)
    return iv + AESGCM(secret).encrypt(iv, data, None)


def open_sealed(secret: bytes, data: bytes) -> bytes:
    """Decrypt what `seal` made. Raises DeviceError CKR_ENCRYPTED_DATA_INVALID."""
    try:
        return AESGCM(secret).decrypt(data[:IV_BYTES], data[IV_BYTES:], None)
    except (InvalidTag, ValueError):
        raise error_for("CKR_ENCRYPTED_DATA_INVALID") from None


def oaep_encrypt(key: spki.PublicKey, data: bytes) -> bytes:
    """Encrypt with RSA-OAEP. Raises DeviceError SCHEME_MISMATCH or DATA_TOO_LONG."""
    if not isinstance(key, rsa.RSAPublicKey):
        raise error_for("SCHEME_MISMATCH")
    if len(data) > (key.key_size + 7) // 8 - OAEP_SURPLUS_BYTES:
        raise error_for("DATA_TOO_LONG")
    return key.encrypt(data, OAEP)


def oaep_decrypt(key: PrivateKey, data: bytes) -> bytes:
    """Decrypt RSA-OAEP. Raises DeviceError SCHEME_MISMATCH or CKR_ENCRYPTED_DATA_INVALID."""
    if not isinstance(key, rsa.RSAPrivateKey):
        raise error_for("SCHEME_MISMATCH")
    try:
        return key.decrypt(data, OAEP)
    except ValueError:
        raise error_for("CKR_ENCRYPTED_DATA_INVALID") from None


def _check_kind(key: PrivateKey | spki.PublicKey, scheme: SignatureScheme) -> None:
    if spki.is_ec(key) is not scheme.is_ec:
        raise error_for("SCHEME_MISMATCH")
