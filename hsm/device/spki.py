"""From what a token says about a public key to a SubjectPublicKeyInfo, and back to what fits it."""

import hashlib

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed, decode_dss_signature, encode_dss_signature

from hsm.device.base import KeySpec, SignatureScheme
from hsm.device.codes import error_for
from hsm.device.objectwire import PublicPart

PublicKey = ec.EllipticCurvePublicKey | rsa.RSAPublicKey
HASHES: dict[str, hashes.HashAlgorithm] = {
    "sha256": hashes.SHA256(),
    "sha384": hashes.SHA384(),
    "sha512": hashes.SHA512(),
}
# CKA_EC_PARAMS of a named curve is its OID in DER (PKCS#11 v2.40 curr §2.3.3, RFC 5480 §2.1.1.1)
OID_TAG = 6
CURVES: dict[bytes, ec.EllipticCurve] = {
    bytes.fromhex("06082a8648ce3d030107"): ec.SECP256R1(),
    bytes.fromhex("06052b81040022"): ec.SECP384R1(),
    bytes.fromhex("06052b81040023"): ec.SECP521R1(),
}
SPEC_CURVES: dict[KeySpec, ec.EllipticCurve] = {
    KeySpec.EC_P256: ec.SECP256R1(),
    KeySpec.EC_P384: ec.SECP384R1(),
    KeySpec.EC_P521: ec.SECP521R1(),
}
# Every named curve that the library knows, by its OID in dots. `cryptography.x509`, which has the class of an OID,
# takes a sixth of the start of a module host.
NAMED_CURVES = {
    oid.dotted_string: ec.get_curve_for_oid(oid) for name, oid in vars(ec.EllipticCurveOID).items() if name.isupper()
}
RSA_BITS = {KeySpec.RSA_2048: 2048, KeySpec.RSA_3072: 3072, KeySpec.RSA_4096: 4096}
NATURAL_SCHEMES = {
    KeySpec.EC_P256: SignatureScheme.ECDSA_SHA256,
    KeySpec.EC_P384: SignatureScheme.ECDSA_SHA384,
    KeySpec.EC_P521: SignatureScheme.ECDSA_SHA512,
}


def encode(public: PublicPart) -> bytes:
    """Return the SubjectPublicKeyInfo (DER). Raises DeviceError KEY_UNREADABLE when the token's answer is no key."""
    try:
        key = _ec_key(public) if public.ec_params else _rsa_key(public)
    except (ValueError, KeyError) as error:
        raise error_for("KEY_UNREADABLE") from error
    return spki_der(key)


def spki_der(key: PublicKey) -> bytes:
    """Return the SubjectPublicKeyInfo of a public key."""
    return key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)


def curve_of(ec_params: bytes) -> ec.EllipticCurve | None:
    """Return the curve that CKA_EC_PARAMS names, None for one that is not named or not known here."""
    if curve := CURVES.get(ec_params):
        return curve
    if len(ec_params) < 3 or ec_params[0] != OID_TAG or ec_params[1] != len(ec_params) - 2:
        return None
    try:
        return NAMED_CURVES[_dotted(ec_params[2:])]()
    except (LookupError, ValueError):
        return None


def _dotted(content: bytes) -> str:
    """Return an OID in dots (X.690 §8.19); the roots 0 and 1 have at most 40 arcs."""
    numbers, number = [], 0
    for byte in content:
        number = number << 7 | byte & 0x7F
        if not byte & 0x80:
            numbers.append(number)
            number = 0
    root = min(numbers[0] // 40, 2)
    return ".".join(map(str, (root, numbers[0] - 40 * root, *numbers[1:])))


def bits_of(public: PublicPart) -> int | None:
    """Return the size of a key, None when it cannot be told."""
    if public.ec_params:
        curve = curve_of(public.ec_params)
        return curve.key_size if curve else None
    return int.from_bytes(public.modulus).bit_length() or None


def spec_of(key: PublicKey) -> KeySpec | None:
    """Return the kind of a public key, None for one that the console does not make."""
    if isinstance(key, ec.EllipticCurvePublicKey):
        return next((spec for spec, curve in SPEC_CURVES.items() if curve.name == key.curve.name), None)
    return next((spec for spec, bits in RSA_BITS.items() if bits == key.key_size), None)


def _ec_key(public: PublicPart) -> ec.EllipticCurvePublicKey:
    curve = curve_of(public.ec_params)
    if curve is None:
        raise ValueError("The curve is not known.")
    raw_bytes = 1 + 2 * ((curve.key_size + 7) // 8)
    # CKA_EC_POINT is a DER OCTET STRING; some modules give the bare point.
    point = public.ec_point if len(public.ec_point) == raw_bytes else public.ec_point[-raw_bytes:]
    return ec.EllipticCurvePublicKey.from_encoded_point(curve, point)


def _rsa_key(public: PublicPart) -> rsa.RSAPublicKey:
    numbers = rsa.RSAPublicNumbers(int.from_bytes(public.exponent), int.from_bytes(public.modulus))
    return numbers.public_key()


def load(der: bytes) -> PublicKey:
    """Return the public key of a SubjectPublicKeyInfo. Raises DeviceError for a key that no device here makes."""
    try:
        key = serialization.load_der_public_key(der)
    except ValueError as error:
        raise error_for("KEY_UNREADABLE") from error
    if not isinstance(key, ec.EllipticCurvePublicKey | rsa.RSAPublicKey):
        raise error_for("KEY_UNREADABLE")
    return key


def is_ec(key: object) -> bool:
    """Tell elliptic curves from RSA, for public and private keys."""
    return isinstance(key, ec.EllipticCurvePublicKey | ec.EllipticCurvePrivateKey)


def natural_scheme(spec: KeySpec) -> SignatureScheme:
    """Return the scheme that a key of this kind is tested with."""
    return NATURAL_SCHEMES.get(spec, SignatureScheme.RSA_PKCS1V15_SHA256)


def sample_digest(scheme: SignatureScheme, data: bytes) -> bytes:
    """Return the digest that a scheme takes."""
    return hashlib.new(scheme.hash_name, data).digest()


def x509_signature(signature: bytes, scheme: SignatureScheme) -> bytes:
    """Return a token's signature as X.509 carries it: r and s become an ECDSA-Sig-Value."""
    if not scheme.is_ec:
        return signature
    half = len(signature) // 2
    return encode_dss_signature(int.from_bytes(signature[:half]), int.from_bytes(signature[half:]))


def verifies(key: PublicKey, signature: bytes, digest: bytes, scheme: SignatureScheme) -> bool:
    """Say whether a signature over a digest verifies."""
    prehashed = Prehashed(HASHES[scheme.hash_name])
    try:
        if isinstance(key, ec.EllipticCurvePublicKey):
            key.verify(signature, digest, ec.ECDSA(prehashed))
        else:
            key.verify(signature, digest, rsa_padding(scheme), prehashed)
    except InvalidSignature:
        return False
    return True


def rsa_padding(scheme: SignatureScheme) -> padding.AsymmetricPadding:
    """Return the padding of an RSA scheme."""
    if scheme is SignatureScheme.RSA_PSS_SHA256:
        return padding.PSS(padding.MGF1(hashes.SHA256()), padding.PSS.DIGEST_LENGTH)
    return padding.PKCS1v15()


def raw_signature(signature: bytes, curve_bits: int) -> bytes | None:
    """Return r and s as a token takes them, None for what is no ECDSA-Sig-Value of this curve."""
    size = (curve_bits + 7) // 8
    try:
        r, s = decode_dss_signature(signature)
        return r.to_bytes(size) + s.to_bytes(size)
    except (ValueError, OverflowError):
        return None


def check_fits(scheme: SignatureScheme, digest: bytes) -> None:
    """Raise DeviceError SCHEME_MISMATCH when the digest has the wrong length."""
    if len(digest) != scheme.digest_bytes:
        raise error_for("SCHEME_MISMATCH")
