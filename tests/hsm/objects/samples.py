"""Keys as files, good and bad."""

from functools import cache

from asn1crypto import keys as asn1
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

PASSPHRASE = b"correct horse battery"
AES_KEY = bytes.fromhex("000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f")

PrivateKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey


@cache
def ec_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


@cache
def rsa_key(bits: int = 2048, exponent: int = 65537) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(exponent, bits)


def written(
    key: PrivateKey,
    encoding: Encoding = Encoding.PEM,
    form: PrivateFormat = PrivateFormat.PKCS8,
    passphrase: bytes | None = None,
) -> bytes:
    lock: KeySerializationEncryption = BestAvailableEncryption(passphrase) if passphrase else NoEncryption()
    return key.private_bytes(encoding, form, lock)


def with_even_exponent() -> bytes:
    info = asn1.PrivateKeyInfo.load(written(rsa_key(), Encoding.DER))
    parsed = info["private_key"].parsed
    parsed["public_exponent"] = 65536
    info["private_key"] = parsed
    return bytes(info.dump(force=True))


def with_a_point_off_the_curve() -> bytes:
    good = written(ec_key(), Encoding.DER)
    return good[:-1] + bytes([good[-1] ^ 1])


def with_the_point_of_another() -> bytes:
    point = ec.generate_private_key(ec.SECP256R1()).public_key()
    raw = point.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    return written(ec_key(), Encoding.DER)[: -len(raw)] + raw
