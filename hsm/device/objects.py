"""The part of the Device port for security objects: any key with its permissions, its import and its use.

A key is addressed by its family and CKA_ID. The console chooses 16 random bytes for keys that it makes; a key made by
somebody else may have any CKA_ID, but one that is empty or taken twice in its family addresses no single key, so such
keys are reported by a listing and never used.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from typing import Protocol, runtime_checkable

from hsm.device.base import Device, KeyAttributes, KeySpec, SecretLike, TokenInfo

MAX_DATA_BYTES = 4096  # of one encryption, decryption or signature (SOB, "Use key")


class KeyFamily(StrEnum):
    """The class family of a key (AMB-39)."""

    KEY_PAIR = "key-pair"  # CKO_PRIVATE_KEY and CKO_PUBLIC_KEY
    SECRET_KEY = "secret-key"  # noqa: S105 - CKO_SECRET_KEY


class Operation(StrEnum):
    """What a key may be permitted to do; each is an attribute of PKCS#11 (v2.40 §4.9 to §4.11)."""

    ENCRYPT = "encrypt"
    DECRYPT = "decrypt"
    SIGN = "sign"
    VERIFY = "verify"
    WRAP = "wrap"
    UNWRAP = "unwrap"
    DERIVE = "derive"

    @property
    def attribute(self) -> str:
        """The attribute's name, such as CKA_ENCRYPT."""
        return f"CKA_{self.name}"


# Which half of a pair carries the permission; a secret key carries all of its own.
PUBLIC_OPERATIONS = frozenset({Operation.ENCRYPT, Operation.VERIFY, Operation.WRAP})
PRIVATE_OPERATIONS = frozenset({Operation.DECRYPT, Operation.SIGN, Operation.UNWRAP, Operation.DERIVE})


class CipherScheme(StrEnum):
    """How data is encrypted. Every scheme works on SoftHSM2 2.6.1 as well as on what vendors sell."""

    AES_GCM = "aes-gcm"  # NIST SP 800-38D: 12 random bytes of IV, ciphertext, 16 bytes of tag, in one block
    RSA_OAEP_SHA1 = "rsa-oaep-sha1"  # RFC 8017 §7.1 with SHA-1 and MGF1-SHA-1, which is safe there (§7.1 note)


class MacScheme(StrEnum):
    """How a secret key signs."""

    AES_CMAC = "aes-cmac"  # NIST SP 800-38B, 16 bytes


def operations_of(spec: KeySpec) -> frozenset[Operation]:
    """Return what a key of this kind can be permitted to do."""
    if spec.is_aes:
        return frozenset(Operation) - {Operation.DERIVE}
    if spec.is_ec:
        return frozenset({Operation.SIGN, Operation.VERIFY, Operation.DERIVE})
    return frozenset(Operation) - {Operation.DERIVE}


def family_of(spec: KeySpec) -> KeyFamily:
    """Return the family that a key of this kind belongs to."""
    return KeyFamily.SECRET_KEY if spec.is_aes else KeyFamily.KEY_PAIR


def ordered(operations: Iterable[Operation]) -> list[Operation]:
    """Return operations in the order in which they are written down and shown."""
    return list(_in_order(frozenset(operations)))


@cache
def _in_order(chosen: frozenset[Operation]) -> tuple[Operation, ...]:
    # Asked four times for each key of a listing, and a token has few combinations.
    return tuple(operation for operation in Operation if operation in chosen)


@dataclass(frozen=True)
class ObjectRecord:
    r"""A key as the device describes it now.

    `key_type` is the CKK_ name without its prefix (`EC`, `RSA`, `AES`), or `0x…`; `bits` its size, None when the device
    does not say; `spec` is None for a kind that the console cannot make. `has_private` says whether the private half
    is there, or the secret key. `operations` are those of all halves together, `attributes` those of the private half
    or the secret key. `label` shows bytes that are not UTF-8 as `\xNN`.
    """

    family: KeyFamily
    key_id: bytes
    label: str
    key_type: str
    bits: int | None
    spec: KeySpec | None
    spki_der: bytes | None
    has_private: bool
    has_public: bool
    operations: frozenset[Operation]
    attributes: KeyAttributes
    modifiable: bool | None


@dataclass(frozen=True)
class Unmatched:
    """An object that is no usable key, and why: `CKO_…` name, CKA_ID and label as far as they can be read."""

    object_class: str
    key_id: bytes
    label: str
    reason: str


@dataclass(frozen=True)
class Listing:
    """All objects of a token, whole: a listing that failed half-way is an error instead.

    `objects` are in the order of (family, CKA_ID). `digest` is SHA-256, hex, over everything listed: two devices that
    show the same token give the same digest. When the caller knew that digest already, `unchanged` is True and both
    sequences are empty.
    """

    token: TokenInfo
    objects: Sequence[ObjectRecord]
    unmatched: Sequence[Unmatched]
    digest: str
    unchanged: bool = False


@runtime_checkable
class ObjectDevice(Device, Protocol):
    """A device for security objects. Every method raises DeviceError; see `Device` for what is common to all.

    `family` and `key_id` address a key: KeyMissingError when the device answers and has no such key or half.
    """

    def generate(self, key_id: bytes, spec: KeySpec, label: str, operations: frozenset[Operation]) -> ObjectRecord:
        """Make a key that stays and cannot leave, permitted exactly `operations`, and return it as it was made.

        Raises KeyExistsError when any object has this id, with nothing made. After an error with `outcome_unknown`
        look for the key with `read` before doing anything else.
        """
        ...

    def import_key(
        self, key_id: bytes, spec: KeySpec, label: str, operations: frozenset[Operation], material: SecretLike
    ) -> ObjectRecord:
        """Put a key into the device, sensitive and not extractable; errors as with `generate`.

        `material` is PKCS#8 (RFC 5958, DER, not encrypted) for a pair, the bytes of the key for AES.
        """
        ...

    def read(self, family: KeyFamily, key_id: bytes) -> ObjectRecord | None:
        """Return the key, or None when the device answers and has no part of it."""
        ...

    def read_all(self, known_digest: str = "") -> Listing:
        """Read every object of the token, in bulk."""
        ...

    def permit(self, family: KeyFamily, key_id: bytes, operations: frozenset[Operation]) -> ObjectRecord:
        """Set the permissions (C_SetAttributeValue) to exactly `operations` and return the key as it then is.

        Raises DeviceError CKR_ATTRIBUTE_READ_ONLY or what else the device says; a change that was made in part is
        taken back, or `outcome_unknown` is set.
        """
        ...

    def remove_private(self, key_id: bytes) -> None:
        """Destroy the private half of a pair and leave the public one; an absent private half is done."""
        ...

    def remove(self, family: KeyFamily, key_id: bytes, spki_der: bytes | None) -> None:
        """Destroy every half; an absent key is done, an absent token is not.

        Raises DeviceError KEY_DIFFERS, with nothing destroyed, when `spki_der` is given and the device holds another
        public value under this id.
        """
        ...

    def sign_data(self, family: KeyFamily, key_id: bytes, data: bytes, scheme: str) -> bytes:
        """Sign: a digest for a SignatureScheme (as `Device.sign`), the message itself for a MacScheme."""
        ...

    def verify_data(self, family: KeyFamily, key_id: bytes, data: bytes, signature: bytes, scheme: str) -> bool:
        """Say whether the signature is this key's over the data."""
        ...

    def encrypt(self, family: KeyFamily, key_id: bytes, data: bytes, scheme: CipherScheme) -> bytes:
        """Encrypt at most MAX_DATA_BYTES, or what the RSA modulus leaves room for."""
        ...

    def decrypt(self, family: KeyFamily, key_id: bytes, data: bytes, scheme: CipherScheme) -> bytes:
        """Decrypt. Raises DeviceError CKR_ENCRYPTED_DATA_INVALID when it does not fit the key."""
        ...

    def probe(self) -> TokenInfo:
        """Prove cheaply that the token serves: C_GetTokenInfo and a random read (AMB-25)."""
        ...
