"""What worker and module host say about security objects; `wire` carries it.

Operations, families and schemes travel as the values of their enums.
"""

import msgspec

OBJECTS_PER_FRAME = 100  # each of them bounded, so that a frame stays far under its limit


class Message(msgspec.Struct, tag=True, frozen=True, gc=False):
    """Base of every message. None shows its fields when it is printed: they may be secret."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}(protected)"


class PublicPart(msgspec.Struct, frozen=True, gc=False):
    """A public key as the token gives it: `ec_params` and `ec_point`, or `modulus` and `exponent`."""

    ec_params: bytes = b""
    ec_point: bytes = b""
    modulus: bytes = b""
    exponent: bytes = b""


class ObjectPart(msgspec.Struct, frozen=True, gc=False):
    """A key as the token describes it. `key_bits` is CKA_VALUE_LEN of a secret key in bits, 0 when it does not say.

    `public` says what is known of the public value, by whichever half reveals it.
    """

    family: str
    key_id: bytes
    label: str
    key_type: str
    key_bits: int
    public: PublicPart | None
    has_private: bool
    has_public: bool
    operations: list[str]
    sensitive: bool | None
    extractable: bool | None
    local: bool | None
    never_extractable: bool | None
    always_sensitive: bool | None
    modifiable: bool | None


class UnmatchedPart(msgspec.Struct, frozen=True, gc=False):
    """An object that is no usable key."""

    object_class: str
    key_id: bytes
    label: str
    reason: str


class PairMaterial(msgspec.Struct, frozen=True, gc=False):
    """The numbers of a key pair, big-endian: the EC ones, or the RSA ones in the names of RFC 8017 §3.2."""

    ec_params: bytes = b""
    ec_point: bytes = b""
    private_value: bytes = b""
    n: bytes = b""
    e: bytes = b""
    d: bytes = b""
    p: bytes = b""
    q: bytes = b""
    dp: bytes = b""
    dq: bytes = b""
    qi: bytes = b""


# Requests


class Probe(Message, frozen=True):
    """Prove that the token serves: the one logged in to, or the one of these names, without a login."""

    label: str = ""
    serial: str = ""


class MakeObject(Message, frozen=True):
    """Generate a key that stays."""

    key_id: bytes
    spec: str
    label: str
    operations: list[str]


class ImportObject(Message, frozen=True):
    """Put a key into the token: `pair`, or the bytes of a secret key."""

    key_id: bytes
    spec: str
    label: str
    operations: list[str]
    pair: PairMaterial | None = None
    secret: bytes = b""


class ReadObject(Message, frozen=True):
    """Read one key."""

    family: str
    key_id: bytes


class ReadObjects(Message, frozen=True):
    """Read every object. `known` is the mark of the listing that the worker remembers, if it does."""

    known: bytes = b""


class Permit(Message, frozen=True):
    """Set the permissions of a key."""

    family: str
    key_id: bytes
    operations: list[str]


class RemovePrivate(Message, frozen=True):
    """Destroy the private half of a pair."""

    key_id: bytes


class RemoveObject(Message, frozen=True):
    """Destroy every half."""

    family: str
    key_id: bytes


class UseKey(Message, frozen=True):
    """Sign, verify, encrypt or decrypt. `data` is a digest for a signature scheme; `signature` is for verifying."""

    operation: str
    family: str
    key_id: bytes
    scheme: str
    data: bytes
    signature: bytes = b""


Request = Probe | MakeObject | ImportObject | ReadObject | ReadObjects | Permit | RemovePrivate | RemoveObject | UseKey
# After these, a call whose answer is lost may have changed something that asking again does not mend.
UNREPEATABLE = (MakeObject, ImportObject, Permit)


# Replies


class FoundObject(Message, frozen=True):
    """A key, or that there is none."""

    part: ObjectPart | None


class Objects(Message, frozen=True):
    """A part of a listing, perhaps an empty one to show that the reading goes on; `more` says that others follow.

    Keys are given while others are still read: `withdrawn` are the families and CKA_IDs of such that are none after
    all, because more objects turned up that have theirs. The last part has the `mark` of the whole, SHA-256; when the
    worker knew one, nothing is given before the end, and nothing at all when it is this one.
    """

    objects: list[ObjectPart]
    unmatched: list[UnmatchedPart]
    withdrawn: list[tuple[str, bytes]]
    more: bool
    mark: bytes = b""


class Used(Message, frozen=True):
    """The result of a use; for verifying, one byte that is 1 or 0."""

    result: bytes


Reply = FoundObject | Objects | Used
