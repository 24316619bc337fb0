"""What keys the console makes and imports: types, sizes and what each can be permitted to do, as data. Pure."""

from dataclasses import dataclass
from enum import StrEnum

from hsm.device.base import KeySpec
from hsm.device.objects import Operation, operations_of, ordered

MOST_BYTES = 64 * 1024  # of a key that is imported


@dataclass(frozen=True)
class KeyType:
    """A type that the form offers. `preferred` and `default` are chosen first."""

    name: str
    label: str
    ckk: str  # CKK_ name without its prefix
    sizes: dict[KeySpec, str]
    preferred: KeySpec
    default: frozenset[Operation]

    @property
    def operations(self) -> list[Operation]:
        """What a key of this type can be permitted to do."""
        return ordered(operations_of(next(iter(self.sizes))))


TYPES: dict[str, KeyType] = {
    kind.name: kind
    for kind in (
        KeyType(
            "aes",
            "AES",
            "AES",
            {KeySpec.AES_128: "128 bits", KeySpec.AES_192: "192 bits", KeySpec.AES_256: "256 bits"},
            KeySpec.AES_256,
            frozenset({Operation.ENCRYPT, Operation.DECRYPT}),
        ),
        KeyType(
            "rsa",
            "RSA",
            "RSA",
            {KeySpec.RSA_2048: "2048 bits", KeySpec.RSA_3072: "3072 bits", KeySpec.RSA_4096: "4096 bits"},
            KeySpec.RSA_3072,
            frozenset({Operation.SIGN, Operation.VERIFY}),
        ),
        KeyType(
            "ec",
            "Elliptic curve (EC)",
            "EC",
            {KeySpec.EC_P256: "P-256", KeySpec.EC_P384: "P-384", KeySpec.EC_P521: "P-521"},
            KeySpec.EC_P256,
            frozenset({Operation.SIGN, Operation.VERIFY}),
        ),
    )
}


def type_of(spec: KeySpec) -> KeyType:
    """Return the type of a kind of key."""
    return next(kind for kind in TYPES.values() if spec in kind.sizes)


def words(spec: KeySpec) -> str:
    """Return a kind of key as it is shown, such as `EC P-256` or `AES 128 bits`."""
    kind = type_of(spec)
    return f"{kind.ckk} {kind.sizes[spec]}"


class Spelling(StrEnum):
    """How a secret key is written down. A key pair says it itself: PEM or DER."""

    HEX = "hex"
    BASE64 = "base64"
    RAW = "raw"


# Which field of the form an import's fault belongs to, by its code; every other code belongs to the form.
FIELDS = {
    **dict.fromkeys(("passphrase-missing", "passphrase-wrong", "passphrase-not-needed"), "passphrase"),
    **dict.fromkeys(("not-readable", "wrong-length", "wrong-kind", "weak-key", "not-consistent", "curve"), "value"),
    **dict.fromkeys(("rsa-size", "rsa-exponent", "rsa-small-factor", "rsa-roca", "rsa-close-primes"), "value"),
    **dict.fromkeys(("KEY_WEAK", "MATERIAL_INVALID", "already-here"), "value"),
}
