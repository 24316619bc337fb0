"""Whether a key is strong enough to be imported or certified. Pure; the model is boulder's goodkey.

Not checked: lists of keys known to be compromised, and factors shared between keys. Both need data from outside.
"""

from functools import cache
from math import gcd, isqrt, prod

from cryptography.hazmat.primitives.asymmetric import ec, rsa

from hsm.device.base import KeySpec

CURVES: dict[str, KeySpec] = {
    "secp256r1": KeySpec.EC_P256,
    "secp384r1": KeySpec.EC_P384,
    "secp521r1": KeySpec.EC_P521,
}
RSA_SIZES: dict[int, KeySpec] = {2048: KeySpec.RSA_2048, 3072: KeySpec.RSA_3072, 4096: KeySpec.RSA_4096}
MIN_EXPONENT, MAX_EXPONENT = 2**16 + 1, 2**256 - 1  # FIPS 186-5 §5.1 and appendix A.1.1
FERMAT_ROUNDS = 100  # CA/Browser Forum Baseline Requirements §6.1.1.3: 100 rounds
SMALL_PRIME_LIMIT = 10_000  # the same section asks for 752; a wider net costs one gcd
ROCA_GENERATOR = 65537
ROCA_PRIME_LIMIT = 167  # Nemec et al., "The Return of Coppersmith's Attack" (CCS 2017), §3.2: the smallest primorial


class WeaknessError(ValueError):
    """Why a key is not good enough: one sentence, and a code for tables."""

    def __init__(self, message: str, code: str) -> None:
        super().__init__(message)
        self.message = message
        self.code = code


def spec_of(key: ec.EllipticCurvePublicKey | rsa.RSAPublicKey) -> KeySpec:
    """Return what kind of key it is; raises WeaknessError."""
    return _ec_spec(key) if isinstance(key, ec.EllipticCurvePublicKey) else _rsa_spec(key)


def _ec_spec(key: ec.EllipticCurvePublicKey) -> KeySpec:
    try:
        return CURVES[key.curve.name]
    except KeyError as error:
        raise WeaknessError(f"The curve {key.curve.name} is not allowed.", "curve") from error


def _rsa_spec(key: rsa.RSAPublicKey) -> KeySpec:
    numbers = key.public_numbers()
    if key.key_size not in RSA_SIZES:
        raise WeaknessError(f"An RSA key of {key.key_size} bits is not allowed.", "rsa-size")
    if numbers.e % 2 == 0 or not MIN_EXPONENT <= numbers.e <= MAX_EXPONENT:
        raise WeaknessError("The RSA exponent must be odd and at least 65537.", "rsa-exponent")
    if gcd(numbers.n, _primorial(SMALL_PRIME_LIMIT)) != 1:
        raise WeaknessError("The RSA modulus has a small factor.", "rsa-small-factor")
    if is_roca(numbers.n):
        raise WeaknessError("The RSA key was made by a faulty chip (ROCA, CVE-2017-15361).", "rsa-roca")
    if has_close_primes(numbers.n):
        raise WeaknessError("The primes of the RSA key are too close to each other.", "rsa-close-primes")
    return RSA_SIZES[key.key_size]


def has_close_primes(modulus: int) -> bool:
    """Try Fermat's factorisation for 100 rounds; it finds the square of a prime in the first."""
    middle = isqrt(modulus)
    if middle * middle < modulus:
        middle += 1
    for candidate in range(middle, middle + FERMAT_ROUNDS):
        rest = candidate * candidate - modulus
        if isqrt(rest) ** 2 == rest:
            return True
    return False


def is_roca(modulus: int) -> bool:
    """Tell whether the modulus is a power of 65537 modulo every small prime; by chance one in 2^27 is (ibid. §3.2)."""
    return all(modulus % prime in residues for prime, residues in _roca_residues())


@cache
def _roca_residues() -> tuple[tuple[int, frozenset[int]], ...]:
    odd_primes = _primes(ROCA_PRIME_LIMIT)[1:]
    return tuple((p, frozenset(pow(ROCA_GENERATOR, power, p) for power in range(p - 1))) for p in odd_primes)


@cache
def _primorial(limit: int) -> int:
    return prod(_primes(limit))


@cache
def _primes(limit: int) -> tuple[int, ...]:
    sieve = bytearray([1]) * (limit + 1)
    for number in range(2, isqrt(limit) + 1):
        if sieve[number]:
            sieve[number * number :: number] = bytes(len(range(number * number, limit + 1, number)))
    return tuple(number for number in range(2, limit + 1) if sieve[number])
