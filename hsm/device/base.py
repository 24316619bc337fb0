"""The Device port: one way to make, find, use and destroy a private key, wherever it lives.

Identity of a token is (module, label, serial); identity of a key is its CKA_ID, 16 random bytes or more that the
caller chose and wrote down before asking for the key.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Never, Protocol, runtime_checkable

MIN_KEY_ID_BYTES = 16
MAX_KEY_ID_BYTES = 64
MAX_ANY_KEY_ID_BYTES = 255  # of a key that somebody else made


class KeySpec(StrEnum):
    """The kinds of key that a device makes. Root and subordinate keys are always pairs."""

    EC_P256 = "ec-p256"
    EC_P384 = "ec-p384"
    EC_P521 = "ec-p521"
    RSA_2048 = "rsa-2048"
    RSA_3072 = "rsa-3072"
    RSA_4096 = "rsa-4096"
    AES_128 = "aes-128"
    AES_192 = "aes-192"
    AES_256 = "aes-256"

    @property
    def is_ec(self) -> bool:
        """Tell elliptic curves from the rest."""
        return self.value.startswith("ec-")

    @property
    def is_aes(self) -> bool:
        """Tell secret keys from pairs."""
        return self.value.startswith("aes-")

    @property
    def bits(self) -> int:
        """The size: of the field for EC, of the modulus for RSA, of the key for AES."""
        return int(self.value.rpartition("-")[2].lstrip("p"))


PAIR_SPECS = tuple(spec for spec in KeySpec if not spec.is_aes)


class SignatureScheme(StrEnum):
    """What is done over a digest that the caller made."""

    ECDSA_SHA256 = "ecdsa-sha256"
    ECDSA_SHA384 = "ecdsa-sha384"
    ECDSA_SHA512 = "ecdsa-sha512"
    RSA_PKCS1V15_SHA256 = "rsa-pkcs1v15-sha256"
    RSA_PKCS1V15_SHA384 = "rsa-pkcs1v15-sha384"
    RSA_PSS_SHA256 = "rsa-pss-sha256"

    @property
    def is_ec(self) -> bool:
        """Tell ECDSA from the RSA schemes."""
        return self.value.startswith("ecdsa-")

    @property
    def hash_name(self) -> str:
        """The hash, as hashlib names it."""
        return self.value.rsplit("-", 1)[1]

    @property
    def digest_bytes(self) -> int:
        """How long the digest is."""
        return int(self.hash_name.removeprefix("sha")) // 8


class TokenFlag(StrEnum):
    """The flags of CK_TOKEN_INFO (PKCS#11 v2.40 §3.3) that an administrator can act on."""

    INITIALIZED = "initialised"
    WRITE_PROTECTED = "write protected"
    LOGIN_REQUIRED = "login required"
    USER_PIN_INITIALIZED = "user PIN set"
    USER_PIN_COUNT_LOW = "a wrong PIN was entered"
    USER_PIN_FINAL_TRY = "one PIN try left"
    USER_PIN_LOCKED = "PIN locked"
    USER_PIN_TO_BE_CHANGED = "PIN must be changed"
    PROTECTED_AUTHENTICATION_PATH = "PIN pad"
    ERROR_STATE = "error state"


@dataclass(frozen=True)
class ModuleInfo:
    """What a PKCS#11 module says about itself (C_GetInfo)."""

    path: str
    manufacturer: str
    description: str
    library_version: str
    cryptoki_version: str


@dataclass(frozen=True)
class TokenInfo:
    """One token; `module` is the real path of its module (or of pki.db), `slot_id` may change at any restart."""

    module: str
    slot_id: int
    label: str
    serial: str
    manufacturer: str
    model: str
    firmware: str
    flags: frozenset[TokenFlag]

    @property
    def initialized(self) -> bool:
        """Say whether the token can hold keys yet."""
        return TokenFlag.INITIALIZED in self.flags


@dataclass(frozen=True)
class KeyAttributes:
    """What the device claims about a private key; None where it does not say. Some devices lie (docs/hsm.md §2)."""

    sensitive: bool | None
    extractable: bool | None
    local: bool | None
    never_extractable: bool | None
    always_sensitive: bool | None


@dataclass(frozen=True)
class KeyRecord:
    """A key pair, or what is left of one. `spki_der` is None when the device holds no readable public half."""

    key_id: bytes
    label: str
    spki_der: bytes | None
    has_private: bool
    has_public: bool
    attributes: KeyAttributes


@dataclass(frozen=True)
class Capabilities:
    """What a device advertises. Advertised is not working: see `SelfTesting`."""

    mechanisms: frozenset[str]
    specs: frozenset[KeySpec]
    schemes: frozenset[SignatureScheme]


@dataclass(frozen=True)
class TestLine:
    """One step of a self-test: green, or with the reason and the next step."""

    __test__ = False  # the name is not for pytest

    name: str
    ok: bool
    detail: str = ""
    code: str = ""
    next_step: str = ""


class Device(Protocol):
    """A place that holds private keys.

    Every method raises DeviceError. Nothing is retried behind the caller's back but what its error class allows, once.
    """

    def token(self) -> TokenInfo:
        """Return what holds the keys."""
        ...

    def generate_key_pair(self, key_id: bytes, spec: KeySpec, label: str) -> bytes:
        """Make a key pair that stays, and return its SubjectPublicKeyInfo (DER).

        Raises KeyExistsError when any object has this id. An error with `outcome_unknown` means: look for `key_id`
        later, with `find`, before doing anything else.
        """
        ...

    def find(self, key_id: bytes) -> KeyRecord | None:
        """Return the key, or None when the device answers and has neither half."""
        ...

    def sign(self, key_id: bytes, digest: bytes, scheme: SignatureScheme) -> bytes:
        """Sign a digest: DER ECDSA-Sig-Value (RFC 3279 §2.2.3) or the RSA block. Raises KeyMissingError."""
        ...

    def destroy(self, key_id: bytes) -> None:
        """Destroy both halves; an absent key is a finished destruction, an absent token is not."""
        ...

    def list_keys(self) -> Iterator[KeyRecord]:
        """Return every key pair. Raises before the first one when the listing is not whole."""
        ...

    def capabilities(self) -> Capabilities:
        """Return what the device advertises."""
        ...


@runtime_checkable
class SelfTesting(Protocol):
    """A device that can prove what it advertises."""

    def self_test(self, specs: Sequence[KeySpec] = (KeySpec.EC_P384,)) -> tuple[TestLine, ...]:
        """Make a key that does not stay, sign, verify outside the device, destroy. Leaves nothing behind."""
        ...


class SecretLike(Protocol):
    """A value that hides itself, such as `Pin` or the console's Secret."""

    def reveal_bytes(self) -> bytes:
        """Return the bytes."""
        ...


class Pin:
    """A PIN or a password: prints as `(protected)`, is not pickled."""

    __slots__ = ("_value",)

    def __init__(self, value: str | bytes) -> None:
        self._value = value.encode() if isinstance(value, str) else bytes(value)

    def reveal_bytes(self) -> bytes:
        """Return the bytes; call it where they are used, and nowhere else."""
        return self._value

    def __repr__(self) -> str:
        return "(protected)"

    __str__ = __repr__

    def __format__(self, _spec: str) -> str:
        return "(protected)"

    def __reduce__(self) -> Never:
        raise TypeError("A PIN is not pickled.")
