"""Registration and answers: JSON bodies of the protocol's own requests (docs/client-protocol.md)."""

from enum import StrEnum
from typing import Annotated, Literal, TypeVar

import msgspec

from trust.wire.documents import Moment
from trust.wire.errors import WireError
from trust.wire.signed import Envelope

Fingerprint = Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{64}$")]
Counter = Annotated[int, msgspec.Meta(ge=1, le=2**62)]
HIGHEST_COUNTER = 2**62 - 2**32
"""The highest counter that a server keeps, so that nobody locks a name out by registering it once with the highest."""
Sequence = Annotated[int, msgspec.Meta(ge=0, le=2**31 - 1)]


class Asked(StrEnum):
    """What a question can ask."""

    COMPUTER_NAME = "computer-name"
    CLIENT_VERSION = "client-version"
    USING_TLS = "using-tls"
    ROOT_KEYS_HELD = "root-keys-held"


class Registration(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`POST /v1/registrations`. `counter` is higher than in every registration before: lower or equal is a replay.

    `full` is a registration anew, every 2 to 6 hours; the others only say that the client is there. The sequences are
    the highest that the client holds: the answer brings what is newer.
    """

    name: Annotated[str, msgspec.Meta(min_length=1, max_length=253)]
    protocol: Literal[314, 315]
    version: Annotated[str, msgspec.Meta(min_length=1, max_length=40)]
    counter: Counter
    full: bool = False
    tls_mode: Literal[0, 1, 2] = 1
    roots: Annotated[tuple[Fingerprint, ...], msgspec.Meta(max_length=64)] = ()
    trust_list: Sequence = 0
    settings: Sequence = 0
    own_settings: Sequence = 0
    directive: Sequence = 0
    own_directive: Sequence = 0
    question: Sequence = 0


class Registered(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The answer. `registered_as` is the id of the client's row, `authenticated` whether it proved a key.

    `next_s` is a hint within 30 to 90, larger when the server is busy. `move_within_s`: a client that learns a newer
    root asks for a certificate below it within that time, or until its next full registration if that is sooner.
    """

    registered_as: str
    authenticated: bool
    server: str
    server_time: Moment
    next_s: int
    move_within_s: Sequence
    documents: tuple[Envelope, ...] = ()


class Answer(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`POST /v1/answers`, with the client's certificate only. `failed`: the question did not verify; see `value`."""

    question: Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f-]{36}$")]
    value: Annotated[str, msgspec.Meta(max_length=1000)]
    failed: bool = False


class Nonce(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The answer to `GET /v1/nonce`: what a proof of the last key is made over, within `valid_s` from now."""

    nonce: bytes
    valid_s: int


class Refusal(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The body of every answer of the protocol's own requests that is not 2xx. `message` is for the client's log.

    `counter` comes with the code `replayed`: the highest one known. A client that was restored from a copy goes on
    with the next higher one.
    """

    code: str
    message: str
    retry_after_s: int | None = None
    counter: int | None = None


Body = TypeVar("Body", bound=msgspec.Struct)


def decode(raw: bytes, kind: type[Body]) -> Body:
    """Return a body; raises WireError."""
    try:
        return msgspec.json.decode(raw, type=kind)
    except (UnicodeDecodeError, msgspec.DecodeError, msgspec.ValidationError, RecursionError) as error:
        raise WireError(f"The body cannot be read: {error}.", code="bad-body") from error
