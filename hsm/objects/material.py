"""Read what is to be imported, and refuse what is weak or not what was said. Pure; it runs in the worker only."""

import base64
import binascii
import re
from collections.abc import Callable
from dataclasses import dataclass

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_der_private_key,
    load_pem_private_key,
)

from console.lib.secret import Secret
from hsm.device import strength
from hsm.device.base import KeySpec
from hsm.objects import offer
from hsm.objects.errors import MaterialError
from hsm.objects.offer import Spelling

PEM = b"-----BEGIN "
SPACES = re.compile(rb"\s+")
NOTHING_REACHED = "Nothing was imported."
SAYS_OF_A_WRONG_ONE = "password"
"""In what `cryptography` says of a passphrase that does not open the file."""
OTHER_PASSPHRASES = (b"\0", b"\0\0", b"\0\0\0")


@dataclass(frozen=True)
class Material:
    """What a device imports: PKCS#8 in DER, or the bytes of a secret key. `spki_der` is the public half of a pair."""

    secret: Secret
    spki_der: bytes | None


def read(spec: KeySpec, value: Secret, *, spelling: Spelling, passphrase: Secret | None) -> Material:
    """Return the material of a key of exactly this kind; raises MaterialError with the field that is wrong."""
    if spec.is_aes:
        return Material(_secret_key(spec, value, spelling), None)
    return _pair(spec, value, passphrase)


def _secret_key(spec: KeySpec, value: Secret, spelling: Spelling) -> Secret:
    written = value.reveal_bytes()
    try:
        key = _spelled(written, spelling)
    except (binascii.Error, ValueError):
        raise refuse(
            f"The value is not {spelling} text.", "not-readable", "Check how the key is written down."
        ) from None
    if len(key) * 8 != spec.bits:
        raise refuse(
            f"The value has {len(key)} bytes, but {offer.words(spec)} needs {spec.bits // 8}.",
            "wrong-length",
            "Choose the size that fits, and check how the key is written down.",
        )
    if len(set(key)) == 1:
        raise refuse("All bytes of the key are the same.", "weak-key", "Use a key that was made at random.")
    return Secret(key)


def _spelled(written: bytes, spelling: Spelling) -> bytes:
    match spelling:
        case Spelling.HEX:
            return binascii.unhexlify(SPACES.sub(b"", written).replace(b":", b"").removeprefix(b"0x"))
        case Spelling.BASE64:
            return base64.b64decode(SPACES.sub(b"", written), validate=True)
        case Spelling.RAW:
            return written


def _pair(spec: KeySpec, value: Secret, passphrase: Secret | None) -> Material:
    key = _load(value.reveal_bytes(), passphrase)
    if not isinstance(key, ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey):
        raise refuse("The value holds neither an RSA key nor an EC key.", "wrong-kind", "Choose another file.")
    try:
        found = strength.spec_of(key.public_key())
    except strength.WeaknessError as error:
        raise refuse(error.message, error.code, "Make a new, stronger key.") from None
    if found is not spec:
        raise refuse(
            f"The value holds a key {offer.words(found)}, but {offer.words(spec)} was chosen.",
            "wrong-kind",
            "Choose the type and size of the key that is imported.",
        )
    return Material(
        Secret(key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())),
        key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
    )


def _load(written: bytes, passphrase: Secret | None) -> object:
    # Errors of the library are not chained: nothing of the material may reach a traceback.
    pem = PEM in written
    if pem and b"PRIVATE KEY-----" not in written:
        raise refuse("The value holds no private key.", "not-readable", "Give the file of the private key.")
    load = load_pem_private_key if pem else load_der_private_key
    password = passphrase.reveal_bytes() if passphrase else None
    try:
        return load(written, password)
    except TypeError:
        raise _passphrase_error(given=password is not None) from None
    except UnsupportedAlgorithm:
        raise refuse(
            "The key, or how it is encrypted, is of a kind that cannot be read.",
            "not-readable",
            "Convert it to PKCS#8 first.",
        ) from None
    except ValueError as error:
        if password is not None and _is_locked(load, written):
            raise _load_error(SAYS_OF_A_WRONG_ONE) from None
        raise _load_error(str(error)) from None


def _is_locked(load: Callable[[bytes, bytes], object], written: bytes) -> bool:
    """Whether the file is whole and takes a passphrase, as the library says of another wrong one.

    Of one wrong passphrase in 256 it cannot say so: the padding comes out right by chance, and what is inside is then
    no key (RFC 8018 §6.1.2).
    """
    for passphrase in OTHER_PASSPHRASES:
        try:
            load(written, passphrase)
        except ValueError as error:
            if SAYS_OF_A_WRONG_ONE in str(error):
                return True
    return False


def _passphrase_error(*, given: bool) -> MaterialError:
    if given:
        return MaterialError(
            f"The private key is not encrypted, but a passphrase was given. {NOTHING_REACHED}",
            field="passphrase",
            code="passphrase-not-needed",
            next_step="Check that it is the right file, then leave the passphrase empty.",
        )
    return MaterialError(
        f"The private key is encrypted. {NOTHING_REACHED}",
        field="passphrase",
        code="passphrase-missing",
        next_step="Enter its passphrase.",
    )


def _load_error(said: str) -> MaterialError:
    if SAYS_OF_A_WRONG_ONE in said:
        return MaterialError(
            f"The passphrase does not open the private key. {NOTHING_REACHED}",
            field="passphrase",
            code="passphrase-wrong",
            next_step="Enter the passphrase of this file.",
        )
    if said.startswith(("Invalid key", "Invalid private key")):
        return refuse(
            "The parts of the key do not belong together, or its public point is not on its curve.",
            "not-consistent",
            "Make a new key.",
        )
    return refuse(
        "The value cannot be read as a private key in PEM or DER: it is cut off, damaged, or something else.",
        "not-readable",
        "Give the whole file.",
    )


def refuse(message: str, code: str, next_step: str) -> MaterialError:
    """Return the error about the value that was given."""
    return MaterialError(f"{message} {NOTHING_REACHED}", field="value", code=code, next_step=next_step)
