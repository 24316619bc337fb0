"""keystead-init.dat: what a new client begins with (BND-01, AMB-33).

    keystead-init 1
    {"payload": …, "signature": …, "signer": …}

The first line names format and version; the rest is one JSON object. The payload's signature is by the newest root of
the server that made the file, whose certificate is `signer` and among the roots of the payload. A client that holds no
root yet cannot judge that signature: who brings it the file vouches for it. One that holds roots already can.
"""

import msgspec

from trust.wire import signatures
from trust.wire.documents import ListedRoot, Moment
from trust.wire.errors import WireError

FIRST_LINE = b"keystead-init 1\n"
PREFIX = b"keystead infrastructure configuration 1\n"
FILE_NAME = "keystead-init.dat"
LEGACY_FILE_NAME = "keystead.pub"
MOST_BYTES = 256 * 1024


class Enrolment(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The credential of this one file: user name and password of RFC 7030 §3.2.3 (HTTP Basic)."""

    id: str
    secret: str

    def __repr__(self) -> str:
        return f"Enrolment({self.id})"


class Address(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where a server listens: its name for TLS, and its port; `plain_port` is for registration without TLS."""

    name: str
    port: int
    plain_port: int


class Content(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`version` is that of the console that made it, `settings` what is preconfigured, such as ServerNameList."""

    version: str
    made_at: Moment
    servers: tuple[Address, ...]
    roots: tuple[ListedRoot, ...]
    enrolment: Enrolment
    settings: dict[str, int | str] = {}


class Signed(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The JSON object of the file."""

    payload: bytes
    signature: bytes
    signer: bytes


def payload(content: Content) -> bytes:
    """Return the payload to be signed."""
    return msgspec.json.encode(content)


def signed_bytes(raw: bytes) -> bytes:
    """Return what the signature covers."""
    return PREFIX + raw


def encode(signed: Signed) -> bytes:
    """Return the file."""
    return FIRST_LINE + msgspec.json.encode(signed) + b"\n"


def decode(raw: bytes) -> Content:
    """Return what the file says. Raises WireError unless its signature holds and its signer is among its roots."""
    if len(raw) > MOST_BYTES or not raw.startswith(FIRST_LINE):
        raise WireError(f"This is not a {FILE_NAME} of a known version.", code="bad-init-file")
    try:
        signed = msgspec.json.decode(raw[len(FIRST_LINE) :], type=Signed)
        content = msgspec.json.decode(signed.payload, type=Content)
    except (UnicodeDecodeError, msgspec.DecodeError, msgspec.ValidationError) as error:
        # Without its text: that could quote the credential.
        raise WireError(f"The {FILE_NAME} is damaged.", code="bad-init-file") from error
    signatures.verify(signed.signature, signed_bytes(signed.payload), signatures.certificate_of(signed.signer))
    if signed.signer not in {root.certificate for root in content.roots}:
        raise WireError(f"The {FILE_NAME} is signed by a root that it does not name.", code="bad-init-file")
    return content
