"""Weak keys, made weak for real: each is refused, and for its own reason."""

import random
from contextlib import suppress
from itertools import count
from math import prod

import pytest
from asn1crypto import keys as asn1
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given, settings
from hypothesis import strategies as st

from hsm.device.base import KeySpec
from keys import goodkey
from keys.goodkey import WeakKeyError

RNG = random.Random(20261122)  # noqa: S311 (the weak keys are the same in every run)


def spki(key: rsa.RSAPublicKey | ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey) -> bytes:
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def rsa_spki(modulus: int, exponent: int = 65537) -> bytes:
    return spki(rsa.RSAPublicNumbers(exponent, modulus).public_key())


def is_prime(number: int) -> bool:
    return all(pow(base, number - 1, number) == 1 for base in (2, 3, 5, 7))


def next_prime(number: int) -> int:
    return next(candidate for candidate in count(number | 1, 2) if is_prime(candidate))


def random_prime(bits: int) -> int:
    return next_prime(RNG.getrandbits(bits) | 3 << (bits - 2))


def code_of(spki_der: bytes, spec: KeySpec | None = None) -> str:
    with pytest.raises(WeakKeyError) as caught:
        goodkey.check(spki_der, spec)
    assert "Nothing was signed" in caught.value.message
    return caught.value.code


@pytest.mark.parametrize(
    ("curve", "spec"),
    [(ec.SECP256R1(), KeySpec.EC_P256), (ec.SECP384R1(), KeySpec.EC_P384), (ec.SECP521R1(), KeySpec.EC_P521)],
)
def test_good_ec_keys(curve: ec.EllipticCurve, spec: KeySpec) -> None:
    key = ec.generate_private_key(curve).public_key()
    assert goodkey.check(spki(key), spec) == key
    assert code_of(spki(key), KeySpec.RSA_3072) == "wrong-kind-of-key"


@pytest.mark.parametrize("size", [2048, 3072])
def test_good_rsa_keys(size: int) -> None:
    key = rsa.generate_private_key(65537, size).public_key()
    assert goodkey.check(spki(key), KeySpec[f"RSA_{size}"]) == key


def test_other_curves_and_kinds() -> None:
    assert code_of(spki(ec.generate_private_key(ec.SECP256K1()).public_key())) == "curve"
    assert code_of(spki(ed25519.Ed25519PrivateKey.generate().public_key())) == "wrong-kind-of-key"


def test_point_off_the_curve_and_at_infinity() -> None:
    good = spki(ec.generate_private_key(ec.SECP384R1()).public_key())
    assert code_of(good[:-1] + bytes([good[-1] ^ 1])) == "bad-key"
    infinity = asn1.PublicKeyInfo.load(good)
    infinity["public_key"] = asn1.ECPointBitString(b"\0")
    assert code_of(infinity.dump(force=True)) == "bad-key"


def test_one_key_has_one_spelling() -> None:
    """A compressed point would give the same key a second fingerprint."""
    key = ec.generate_private_key(ec.SECP256R1()).public_key()
    info = asn1.PublicKeyInfo.load(spki(key))
    info["public_key"] = asn1.ECPointBitString(key.public_bytes(Encoding.X962, PublicFormat.CompressedPoint))
    assert code_of(info.dump(force=True)) == "not-canonical"
    assert code_of(spki(key) + b"\0") == "bad-key"


@pytest.mark.parametrize("size", [1024, 2040, 2056])
def test_rsa_sizes(size: int) -> None:
    assert code_of(spki(rsa.generate_private_key(65537, size).public_key())) == "rsa-size"


def test_rsa_exponent() -> None:
    modulus = rsa.generate_private_key(65537, 2048).public_key().public_numbers().n
    assert code_of(rsa_spki(modulus, 3)) == "rsa-exponent"
    assert code_of(rsa_spki(modulus, 2**16 - 1)) == "rsa-exponent"


def test_rsa_small_factor() -> None:
    factor = 9973
    modulus = factor * ((3 << 2046) // factor | 1)
    assert modulus.bit_length() == 2048
    assert code_of(rsa_spki(modulus)) == "rsa-small-factor"


def test_rsa_close_primes() -> None:
    first = random_prime(1024)
    assert code_of(rsa_spki(first * next_prime(first + 2))) == "rsa-close-primes"
    assert code_of(rsa_spki(first * first)) == "rsa-close-primes"


def test_rsa_roca() -> None:
    """Primes of the form k·M + (65537^a mod M), M the product of the first 126 primes (Nemec et al. §2.1)."""
    primorial = prod([2, *(n for n in range(3, 702, 2) if all(n % d for d in range(3, int(n**0.5) + 1, 2)))])
    bits = 1024 - primorial.bit_length()

    def faulty_prime() -> int:
        while True:
            candidate = (RNG.getrandbits(bits) | 3 << (bits - 2)) * primorial + pow(
                65537, RNG.getrandbits(64), primorial
            )
            if candidate.bit_length() == 1024 and is_prime(candidate):
                return candidate

    modulus = 1
    while modulus.bit_length() != 2048:
        modulus = faulty_prime() * faulty_prime()
    assert code_of(rsa_spki(modulus)) == "rsa-roca"


@settings(max_examples=200)
@given(st.binary(max_size=200))
def test_bytes_that_are_no_key(data: bytes) -> None:
    assert code_of(data)


@settings(max_examples=200)
@given(st.integers(0, 119), st.integers(1, 255))
def test_a_flipped_byte_is_refused_or_another_key(at: int, flip: int) -> None:
    """Whatever is damaged never passes for the same key."""
    good = spki(KEY)
    bad = good[:at] + bytes([good[at] ^ flip]) + good[at + 1 :]
    with suppress(WeakKeyError):
        assert spki(goodkey.check(bad)) == bad != good


KEY = ec.generate_private_key(ec.SECP384R1()).public_key()
