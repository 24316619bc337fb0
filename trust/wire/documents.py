"""What the payloads of signed documents say. Times are aware UTC; unknown fields are refused."""

from datetime import datetime
from typing import Annotated, Literal, TypeVar

import msgspec

from trust.wire.errors import WireError
from trust.wire.signed import Kind

EVERYONE = "*"
Moment = Annotated[datetime, msgspec.Meta(tz=True)]
"""A time that says how far it is from UTC: one that does not can be compared with none that does."""


class Payload(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What every document says.

    `audience` is `*` or the id of one client. `sequence` rises in each (server, kind, audience): a client keeps the
    highest and refuses a lower one. After `expires_at` it is refused.
    """

    server: str
    audience: str
    sequence: int
    issued_at: Moment
    expires_at: Moment | None = None


class ListedRoot(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An active root: its name, and its self-signed certificate (DER)."""

    name: str
    certificate: bytes


class RevokedRoot(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`reason` is for people; what `compromised` means: that root carries nobody over any more."""

    name: str
    fingerprint: str
    reason: str
    compromised: bool
    revoked_at: Moment


class TrustList(Payload, frozen=True, kw_only=True):
    """All active roots of a server, the cross-certificates between its roots, and all revoked roots. Never expires.

    `crosses` are DER certificates. None by or for a root that was revoked as compromised is in it.
    """

    roots: tuple[ListedRoot, ...]
    crosses: tuple[bytes, ...]
    revoked: tuple[RevokedRoot, ...]


class Settings(Payload, frozen=True, kw_only=True):
    """Settings of the server for clients, by name. A client keeps each with the prefix `Server_`."""

    settings: dict[str, int | str]


class Directive(Payload, frozen=True, kw_only=True):
    """An order.

    `reset-trust`: forget every root that the newest trust list does not name, and say anew what is held.
    `re-enrol`: ask for a new certificate now. `trust_list` is the sequence that the order stands on.
    """

    order: Literal["reset-trust", "re-enrol"]
    trust_list: int = 0


class Question(Payload, frozen=True, kw_only=True):
    """`asked` is one of `trust.wire.messages.Asked`; `question` its id, to be sent back with the answer."""

    question: str
    asked: str


PAYLOADS: dict[Kind, type[Payload]] = {
    Kind.TRUST_LIST: TrustList,
    Kind.SETTINGS: Settings,
    Kind.DIRECTIVE: Directive,
    Kind.QUESTION: Question,
}
Document = TypeVar("Document", bound=Payload)


def encode(payload: Payload) -> bytes:
    """Return the bytes to sign. What is verified later is these bytes, so their spelling does not matter."""
    return msgspec.json.encode(payload)


def decode(raw: bytes, kind: type[Document]) -> Document:
    """Return a payload; raises WireError."""
    try:
        return msgspec.json.decode(raw, type=kind)
    except (UnicodeDecodeError, msgspec.DecodeError, msgspec.ValidationError) as error:
        raise WireError(f"The document does not hold what its kind asks for: {error}.", code="bad-payload") from error
