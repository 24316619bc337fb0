"""What console and gateway say to each other, as data: docs/gateway-protocol.md in types, shared by both sides.

One operation is one `POST /v1/<operation>` with a JSON object and one JSON object as the answer. Unknown fields are
refused in both directions; bytes are base64. A request carries a PIN and may carry key material or plaintext, so no
message shows its fields when it is printed.
"""

from typing import Annotated, Any, TypeVar

import msgspec

from hsm.device.base import (
    MAX_KEY_ID_BYTES,
    MIN_KEY_ID_BYTES,
    KeyAttributes,
    KeySpec,
    SignatureScheme,
    TokenFlag,
    TokenInfo,
)
from hsm.device.errors import ErrorClass
from hsm.device.objects import MAX_DATA_BYTES, CipherScheme, KeyFamily, ObjectRecord, Operation, Unmatched

PROTOCOL_VERSION = 1
PREFIX = f"/v{PROTOCOL_VERSION}/"
CONTENT_TYPE = "application/json"

DEFAULT_PORT, HEALTH_HTTPS_PORT, HEALTH_HTTP_PORT = 4442, 4440, 4441
MAX_REQUEST_BYTES = 64 * 1024
MAX_ANSWER_BYTES = 8 * 1024 * 1024
PAGE_ENTRIES = 1000  # of a listing; a page also ends once its entries reach PAGE_BYTES
PAGE_BYTES = 2 * 1024 * 1024
MIN_DEADLINE_MS, MAX_DEADLINE_MS = 100, 300_000
MAX_SLOT = 2**63 - 1  # what JSON decoders agree on; CK_SLOT_ID may be larger, slots never are
MAX_PIN_CHARACTERS = 255
MAX_ANY_KEY_ID_BYTES = 255  # of a key made by somebody else
MAX_LABEL_CHARACTERS = 255
MAX_MATERIAL_BYTES = 16 * 1024
MAX_SPKI_BYTES = 4096
MAX_SIGNATURE_BYTES = 1024
MAX_CIPHERTEXT_BYTES = MAX_DATA_BYTES + 28  # AES-GCM: 12 bytes of IV, 16 of tag
UNVERIFIED_PIN_PAUSE_S = 15 * 60

Slot = Annotated[int, msgspec.Meta(ge=0, le=MAX_SLOT)]
Label = Annotated[str, msgspec.Meta(max_length=MAX_LABEL_CHARACTERS)]
PinText = Annotated[str, msgspec.Meta(max_length=MAX_PIN_CHARACTERS)]
DeadlineMs = Annotated[int, msgspec.Meta(ge=MIN_DEADLINE_MS, le=MAX_DEADLINE_MS)]
NewKeyId = Annotated[bytes, msgspec.Meta(min_length=MIN_KEY_ID_BYTES, max_length=MAX_KEY_ID_BYTES)]
KeyId = Annotated[bytes, msgspec.Meta(min_length=1, max_length=MAX_ANY_KEY_ID_BYTES)]
Material = Annotated[bytes, msgspec.Meta(min_length=1, max_length=MAX_MATERIAL_BYTES)]
Spki = Annotated[bytes, msgspec.Meta(min_length=1, max_length=MAX_SPKI_BYTES)]
Data = Annotated[bytes, msgspec.Meta(max_length=MAX_DATA_BYTES)]
Ciphertext = Annotated[bytes, msgspec.Meta(max_length=MAX_CIPHERTEXT_BYTES)]
Signature = Annotated[bytes, msgspec.Meta(max_length=MAX_SIGNATURE_BYTES)]
SchemeName = Annotated[str, msgspec.Meta(max_length=64)]
Digest = Annotated[str, msgspec.Meta(pattern="^([0-9a-f]{64})?$")]
Count = Annotated[int, msgspec.Meta(ge=0)]


class _Message(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True, gc=False):
    def __repr__(self) -> str:
        return f"{type(self).__name__}(protected)"

    def __rich_repr__(self) -> list[Any]:
        return []


# Requests


class Request(_Message, frozen=True, kw_only=True):
    """What every request says: which token, by which PIN, and how long the console waits.

    `slot` is the slot's number when the connection was made. `label` and `serial`, when given, must fit the token in
    it; a token that was moved to another slot of the gateway is found by them. No other token sees the PIN.
    """

    slot: Slot
    pin: PinText
    deadline_ms: DeadlineMs
    label: Label = ""
    serial: Label = ""


class Token(Request, frozen=True, kw_only=True):
    """`token`: log in, and describe the token."""


class Probe(Request, frozen=True, kw_only=True):
    """`probe`: log in, and prove that the token serves: C_GetTokenInfo and a random read."""


class Mechanisms(Request, frozen=True, kw_only=True):
    """`mechanisms`: what the token advertises."""


class Generate(Request, frozen=True, kw_only=True):
    """`generate`: make a key with the CKA_ID that the console chose and wrote down."""

    key_id: NewKeyId
    spec: KeySpec
    key_label: Label
    operations: frozenset[Operation]


class Import(Generate, frozen=True, kw_only=True):
    """`import`: put a key into the token; `material` is PKCS#8 (DER) for a pair, the key itself for AES."""

    material: Material


class Read(Request, frozen=True, kw_only=True):
    """`read`: describe one key."""

    family: KeyFamily
    key_id: KeyId


class List(Request, frozen=True, kw_only=True):
    """`list`: describe every object, a page for each request.

    `after` is how many entries the console has; with it `digest` names the listing that they belong to.
    `known_digest` on the first page: answer `unchanged` when the token still gives that digest.
    """

    known_digest: Digest = ""
    after: Count = 0
    digest: Digest = ""


class Permit(Read, frozen=True, kw_only=True):
    """`permit`: set the permissions of a key to exactly these."""

    operations: frozenset[Operation]


class RemovePrivate(Request, frozen=True, kw_only=True):
    """`remove-private`: destroy the private half of a pair; an absent one is done."""

    key_id: KeyId


class Remove(Read, frozen=True, kw_only=True):
    """`remove`: destroy every half; an absent key is done. With `spki_der`, only the key with that public value."""

    spki_der: Spki | None = None


class Sign(Read, frozen=True, kw_only=True):
    """`sign`: a digest for a signature scheme, the message itself for a MAC scheme."""

    data: Data
    scheme: SchemeName


class Verify(Sign, frozen=True, kw_only=True):
    """`verify`: say whether the signature is this key's over the data."""

    signature: Signature


class Encrypt(Read, frozen=True, kw_only=True):
    """`encrypt`."""

    data: Data
    scheme: CipherScheme


class Decrypt(Read, frozen=True, kw_only=True):
    """`decrypt`."""

    data: Ciphertext
    scheme: CipherScheme


# Parts of answers


class TokenPart(_Message, frozen=True, kw_only=True):
    """A token, as `TokenInfo`."""

    module: str
    slot_id: int
    label: str
    serial: str
    manufacturer: str
    model: str
    firmware: str
    flags: frozenset[TokenFlag]


class AttributesPart(_Message, frozen=True, kw_only=True):
    """As `KeyAttributes`; null where the token does not say."""

    sensitive: bool | None
    extractable: bool | None
    local: bool | None
    never_extractable: bool | None
    always_sensitive: bool | None


class KeyPart(_Message, frozen=True, kw_only=True):
    """A key, as `ObjectRecord`."""

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
    attributes: AttributesPart
    modifiable: bool | None


class UnmatchedPart(_Message, frozen=True, kw_only=True):
    """An object that is no usable key, as `Unmatched`."""

    object_class: str
    key_id: bytes
    label: str
    reason: str


# Answers, status 200


class TokenAnswer(_Message, frozen=True, kw_only=True):
    """To `token` and `probe`. `is_open`: the gateway asks nobody for a client certificate."""

    token: TokenPart
    is_open: bool
    protocol: int = PROTOCOL_VERSION


class MechanismsAnswer(_Message, frozen=True, kw_only=True):
    """To `mechanisms`: names without CKM_, and what they amount to."""

    mechanisms: list[str]
    specs: list[KeySpec]
    schemes: list[SignatureScheme]


class KeyAnswer(_Message, frozen=True, kw_only=True):
    """To `generate`, `import` and `permit`: the key as it now is."""

    key: KeyPart


class ReadAnswer(_Message, frozen=True, kw_only=True):
    """To `read`; null when the token answers and has no part of the key."""

    key: KeyPart | None


class ListAnswer(_Message, frozen=True, kw_only=True):
    """To `list`: the entries after the ones the console has, objects first, then what matches no key.

    `total` counts all entries. `digest` is that of the listing which this page belongs to: when it is another one than
    on the page before, the token has changed, and the console starts anew. `unchanged`: nothing is listed.
    """

    token: TokenPart
    digest: Digest
    total: Count
    objects: list[KeyPart]
    unmatched: list[UnmatchedPart]
    unchanged: bool = False


class DoneAnswer(_Message, frozen=True, kw_only=True):
    """To `remove` and `remove-private`."""


class SignAnswer(_Message, frozen=True, kw_only=True):
    """To `sign`: DER for ECDSA, else the bytes."""

    signature: bytes


class VerifyAnswer(_Message, frozen=True, kw_only=True):
    """To `verify`."""

    valid: bool


class DataAnswer(_Message, frozen=True, kw_only=True):
    """To `encrypt` and `decrypt`."""

    data: bytes


class ErrorAnswer(_Message, frozen=True, kw_only=True):
    """Every status but 200: the fields of DeviceError.

    With KEY_EXISTS `existing` is the key that has this CKA_ID; with 429 `retry_after_s` says when to come again.
    """

    code: str
    message: str
    next_step: str
    error_class: ErrorClass
    outcome_unknown: bool
    existing: KeyPart | None = None
    retry_after_s: Count | None = None


Answer = (
    TokenAnswer | MechanismsAnswer | KeyAnswer | ReadAnswer | ListAnswer | DoneAnswer | SignAnswer | VerifyAnswer
    | DataAnswer | ErrorAnswer
)  # fmt: skip

# The path behind PREFIX, what is asked, what is answered.
OPERATIONS: dict[str, tuple[type[Request], type[_Message]]] = {
    "token": (Token, TokenAnswer),
    "probe": (Probe, TokenAnswer),
    "mechanisms": (Mechanisms, MechanismsAnswer),
    "generate": (Generate, KeyAnswer),
    "import": (Import, KeyAnswer),
    "read": (Read, ReadAnswer),
    "list": (List, ListAnswer),
    "permit": (Permit, KeyAnswer),
    "remove-private": (RemovePrivate, DoneAnswer),
    "remove": (Remove, DoneAnswer),
    "sign": (Sign, SignAnswer),
    "verify": (Verify, VerifyAnswer),
    "encrypt": (Encrypt, DataAnswer),
    "decrypt": (Decrypt, DataAnswer),
}

_A = TypeVar("_A", bound=_Message)
_encoder = msgspec.json.Encoder()


def encode(message: _Message) -> bytes:
    """Return the body of a request or an answer."""
    return _encoder.encode(message)


def decode(body: bytes, kind: type[_A]) -> _A:
    """Return the message. Raises msgspec.MsgspecError (DecodeError, ValidationError) and UnicodeDecodeError."""
    return msgspec.json.decode(body, type=kind)


def token_part(token: TokenInfo) -> TokenPart:
    """Return a token of the port as it is sent."""
    return msgspec.convert(token, TokenPart, from_attributes=True)


def token_info(part: TokenPart) -> TokenInfo:
    """Return a token of the port from what was sent."""
    return TokenInfo(**{name: getattr(part, name) for name in part.__struct_fields__})


def key_part(record: ObjectRecord) -> KeyPart:
    """Return a record of the port as it is sent."""
    return msgspec.convert(record, KeyPart, from_attributes=True)


def object_record(part: KeyPart) -> ObjectRecord:
    """Return a record of the port from what was sent."""
    fields = {name: getattr(part, name) for name in part.__struct_fields__ if name != "attributes"}
    attributes = {name: getattr(part.attributes, name) for name in part.attributes.__struct_fields__}
    return ObjectRecord(**fields, attributes=KeyAttributes(**attributes))


def unmatched_part(item: Unmatched) -> UnmatchedPart:
    """Return an unmatched object as it is sent."""
    return msgspec.convert(item, UnmatchedPart, from_attributes=True)


def unmatched(part: UnmatchedPart) -> Unmatched:
    """Return an unmatched object from what was sent."""
    return Unmatched(part.object_class, part.key_id, part.label, part.reason)
