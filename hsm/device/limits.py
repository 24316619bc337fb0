"""What every device refuses before it does anything with a security object."""

from hsm.device.base import KeySpec, SignatureScheme
from hsm.device.codes import check_any_key_id, check_key_id, error_for
from hsm.device.objects import MAX_DATA_BYTES, CipherScheme, KeyFamily, MacScheme, Operation, operations_of

GCM_SURPLUS_BYTES = 12 + 16  # IV and tag
OAEP_SURPLUS_BYTES = 2 * 20 + 2  # RFC 8017 §7.1.1 with SHA-1
MAX_BLOCK_BYTES = 2048  # one block of the largest RSA key


def check_new(key_id: bytes, spec: KeySpec, operations: frozenset[Operation]) -> None:
    """Raise DeviceError KEY_ID or OPERATION_NOT_PERMITTED for a key that cannot be made."""
    check_key_id(key_id)
    if not operations <= operations_of(spec):
        raise error_for("OPERATION_NOT_PERMITTED")


def signing_scheme(family: KeyFamily, key_id: bytes, data: bytes, scheme: str) -> SignatureScheme | MacScheme:
    """Return the scheme. Raises DeviceError SCHEME_MISMATCH or DATA_TOO_LONG when key family, data or name do not fit.

    `key_id` may have any length that addresses a key.
    """
    check_any_key_id(key_id)
    if scheme in tuple(MacScheme):
        if family is not KeyFamily.SECRET_KEY:
            raise error_for("SCHEME_MISMATCH")
        _check_length(data, MAX_DATA_BYTES)
        return MacScheme(scheme)
    if scheme not in tuple(SignatureScheme) or family is not KeyFamily.KEY_PAIR:
        raise error_for("SCHEME_MISMATCH")
    if len(data) != SignatureScheme(scheme).digest_bytes:
        raise error_for("SCHEME_MISMATCH")
    return SignatureScheme(scheme)


def check_cipher(family: KeyFamily, key_id: bytes, scheme: CipherScheme) -> None:
    """Raise DeviceError SCHEME_MISMATCH for a scheme of another family."""
    check_any_key_id(key_id)
    if (family is KeyFamily.SECRET_KEY) is not (scheme is CipherScheme.AES_GCM):
        raise error_for("SCHEME_MISMATCH")


def check_plaintext(data: bytes) -> None:
    """Raise DeviceError DATA_TOO_LONG for more than one encryption takes; RSA takes less, as its key says."""
    _check_length(data, MAX_DATA_BYTES)


def check_ciphertext(data: bytes, scheme: CipherScheme) -> None:
    """Raise DeviceError for what no encryption of this scheme gives: too long, or too short."""
    gcm = scheme is CipherScheme.AES_GCM
    _check_length(data, MAX_DATA_BYTES + GCM_SURPLUS_BYTES if gcm else MAX_BLOCK_BYTES)
    if len(data) < (GCM_SURPLUS_BYTES if gcm else 1):
        raise error_for("CKR_ENCRYPTED_DATA_INVALID")


def _check_length(data: bytes, most: int) -> None:
    if len(data) > most:
        raise error_for("DATA_TOO_LONG")
