"""What keys the console makes and imports: types, sizes and what each can be permitted to do, as data. Pure."""

from dataclasses import dataclass

from hsm.device.base import KeySpec
from hsm.device.objects import KeyFamily, Operation, operations_of, ordered


@dataclass(frozen=True)
class KeyType:
    """A type that the form offers. `default` are the permissions that are ticked first."""

    name: str
    label: str
    ckk: str  # CKK_ name without its prefix
    sizes: dict[KeySpec, str]
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
            frozenset({Operation.ENCRYPT, Operation.DECRYPT}),
        ),
        KeyType(
            "rsa",
            "RSA",
            "RSA",
            {KeySpec.RSA_2048: "2048 bits", KeySpec.RSA_3072: "3072 bits", KeySpec.RSA_4096: "4096 bits"},
            frozenset({Operation.SIGN, Operation.VERIFY}),
        ),
        KeyType(
            "ec",
            "Elliptic curve (EC)",
            "EC",
            {KeySpec.EC_P256: "P-256", KeySpec.EC_P384: "P-384", KeySpec.EC_P521: "P-521"},
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


def family_of(spec: KeySpec) -> KeyFamily:
    """Return the class family of a kind of key."""
    return KeyFamily.SECRET_KEY if spec.is_aes else KeyFamily.KEY_PAIR
