"""What is imported: a private key in PKCS#8 or the bytes of an AES key, checked against the kind that was chosen."""

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from hsm.device import spki
from hsm.device.base import KeySpec, SecretLike
from hsm.device.codes import error_for
from hsm.device.objectwire import PairMaterial

PrivateKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
MIN_RSA_BITS = 2048
EC_PARAMS = {curve.name: params for params, curve in spki.CURVES.items()}


def pair_of(spec: KeySpec, material: SecretLike) -> PrivateKey:
    """Return the private key. Raises DeviceError MATERIAL_INVALID, MATERIAL_MISMATCH or KEY_WEAK."""
    try:
        key = serialization.load_der_private_key(material.reveal_bytes(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise error_for("MATERIAL_INVALID") from None  # the cause may show a part of the key
    if isinstance(key, rsa.RSAPrivateKey) and key.key_size < MIN_RSA_BITS:
        raise error_for("KEY_WEAK")
    if isinstance(key, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) and spki.spec_of(key.public_key()) is spec:
        return key
    raise error_for("MATERIAL_MISMATCH")


def secret_of(spec: KeySpec, material: SecretLike) -> bytes:
    """Return the bytes of an AES key. Raises DeviceError MATERIAL_INVALID or MATERIAL_MISMATCH."""
    secret = material.reveal_bytes()
    if len(secret) not in (16, 24, 32):
        raise error_for("MATERIAL_INVALID")
    if 8 * len(secret) != spec.bits:
        raise error_for("MATERIAL_MISMATCH")
    return secret


def check(spec: KeySpec, material: SecretLike) -> None:
    """Raise DeviceError for what cannot be imported as a key of this kind."""
    if spec.is_aes:
        secret_of(spec, material)
    else:
        pair_of(spec, material)


def pair_material(key: PrivateKey) -> PairMaterial:
    """Return the numbers of a key pair as PKCS#11 takes them: CKA_EC_POINT is a DER OCTET STRING."""
    if isinstance(key, ec.EllipticCurvePrivateKey):
        point = key.public_key().public_bytes(serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint)
        return PairMaterial(
            ec_params=EC_PARAMS[key.curve.name],
            ec_point=_octet_string(point),
            private_value=key.private_numbers().private_value.to_bytes((key.curve.key_size + 7) // 8),
        )
    numbers = key.private_numbers()
    public = numbers.public_numbers
    return PairMaterial(
        n=_bytes(public.n),
        e=_bytes(public.e),
        d=_bytes(numbers.d),
        p=_bytes(numbers.p),
        q=_bytes(numbers.q),
        dp=_bytes(numbers.dmp1),
        dq=_bytes(numbers.dmq1),
        qi=_bytes(numbers.iqmp),
    )


def _bytes(number: int) -> bytes:
    return number.to_bytes((number.bit_length() + 7) // 8)


def _octet_string(content: bytes) -> bytes:
    length = len(content)
    return (b"\x04" + bytes([length]) if length < 0x80 else b"\x04\x81" + bytes([length])) + content
