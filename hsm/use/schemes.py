"""What a key can be used for from its page, by the kind of key: schemes as data, and how long their input may be."""

from dataclasses import dataclass

from hsm.device.base import KeySpec, SignatureScheme
from hsm.device.objects import MAX_DATA_BYTES, CipherScheme, MacScheme, Operation

GCM_OVERHEAD_BYTES = 12 + 16  # the IV and the tag (CipherScheme.AES_GCM)
OAEP_OVERHEAD_BYTES = 2 * 20 + 2  # RFC 8017 §7.1.1, with SHA-1

SIGNING = frozenset({Operation.SIGN, Operation.VERIFY})
CIPHERING = frozenset({Operation.ENCRYPT, Operation.DECRYPT})
OFFERED = (Operation.SIGN, Operation.VERIFY, Operation.ENCRYPT, Operation.DECRYPT)


@dataclass(frozen=True)
class Scheme:
    """A way to sign or encrypt. `hash_name` is what the console makes of the data first, empty for the data as such."""

    value: str
    label: str
    operations: frozenset[Operation]
    hash_name: str = ""


@dataclass(frozen=True)
class Bounds:
    """How many bytes the input of an operation has."""

    least: int
    most: int


def _signature(scheme: SignatureScheme, label: str) -> Scheme:
    return Scheme(scheme, label, SIGNING, scheme.hash_name)


ECDSA = (
    _signature(SignatureScheme.ECDSA_SHA256, "ECDSA with SHA-256"),
    _signature(SignatureScheme.ECDSA_SHA384, "ECDSA with SHA-384"),
    _signature(SignatureScheme.ECDSA_SHA512, "ECDSA with SHA-512"),
)
RSA = (
    _signature(SignatureScheme.RSA_PSS_SHA256, "RSA-PSS with SHA-256"),
    _signature(SignatureScheme.RSA_PKCS1V15_SHA256, "RSA PKCS#1 v1.5 with SHA-256"),
    _signature(SignatureScheme.RSA_PKCS1V15_SHA384, "RSA PKCS#1 v1.5 with SHA-384"),
    Scheme(CipherScheme.RSA_OAEP_SHA1, "RSA-OAEP with SHA-1", CIPHERING),
)
AES = (
    Scheme(MacScheme.AES_CMAC, "AES-CMAC", SIGNING),
    Scheme(CipherScheme.AES_GCM, "AES-GCM", CIPHERING),
)
# The hash as strong as the curve comes first (FIPS 186-5 §6.1.1).
NATURAL = {KeySpec.EC_P256: 0, KeySpec.EC_P384: 1, KeySpec.EC_P521: 2}


def schemes(spec: KeySpec, operation: Operation) -> tuple[Scheme, ...]:
    """Return the schemes of an operation for this kind of key, the best choice first; none where it has none."""
    if spec.is_ec:
        first = ECDSA[NATURAL[spec]]
        kinds: tuple[Scheme, ...] = (first, *(scheme for scheme in ECDSA if scheme is not first))
    else:
        kinds = AES if spec.is_aes else RSA
    return tuple(scheme for scheme in kinds if operation in scheme.operations)


def label_of(value: str) -> str:
    """Return what a page calls a scheme."""
    return next((scheme.label for scheme in (*ECDSA, *RSA, *AES) if scheme.value == value), value)


def bounds(spec: KeySpec, operation: Operation, scheme: Scheme) -> Bounds:
    """Return how long the input may be: of the data, or of what is to be decrypted."""
    if operation in SIGNING:
        return Bounds(1, MAX_DATA_BYTES)
    if scheme.value == CipherScheme.AES_GCM:
        if operation is Operation.ENCRYPT:
            return Bounds(1, MAX_DATA_BYTES)
        return Bounds(GCM_OVERHEAD_BYTES, MAX_DATA_BYTES + GCM_OVERHEAD_BYTES)
    modulus_bytes = spec.bits // 8
    if operation is Operation.ENCRYPT:
        return Bounds(1, modulus_bytes - OAEP_OVERHEAD_BYTES)
    return Bounds(modulus_bytes, modulus_bytes)
