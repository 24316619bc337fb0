"""The envelope of everything that is signed for clients: exact bytes, a signature over them, and who signed.

The signature covers `PREFIX`, the kind and the payload, so that one of a document is never one of a certificate, a CRL
or a document of another kind.
"""

from enum import StrEnum

import msgspec

from trust.wire import signatures
from trust.wire.errors import WireError

PREFIX = b"keystead signed document 1\n"
MOST_BYTES = 1024 * 1024


class Kind(StrEnum):
    """A trust list is signed by the newest root, the others by the message-signing key (AMB-03)."""

    TRUST_LIST = "trust-list"
    SETTINGS = "settings"
    DIRECTIVE = "directive"
    QUESTION = "question"


class Envelope(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Bytes are base64 in JSON.

    `signer` is the signing key's certificate (DER); `chain` leads from it to a root, in order, the root itself and
    cross-certificates included or not.
    """

    kind: Kind
    payload: bytes
    signature: bytes
    signer: bytes
    chain: tuple[bytes, ...] = ()


def signed_bytes(kind: Kind, payload: bytes) -> bytes:
    """Return what the signature covers."""
    return PREFIX + kind.encode() + b"\n" + payload


def check(envelope: Envelope) -> None:
    """Raise WireError unless the signer's key signed the payload. Whether that key may is `trust.anchors`."""
    signer = signatures.certificate_of(envelope.signer)
    signatures.verify(envelope.signature, signed_bytes(envelope.kind, envelope.payload), signer)


def encode(envelope: Envelope) -> bytes:
    """Return the envelope as JSON."""
    return msgspec.json.encode(envelope)


def decode(raw: bytes) -> Envelope:
    """Return an envelope from JSON; raises WireError."""
    if len(raw) > MOST_BYTES:
        raise WireError("The document is too large.", code="too-large")
    try:
        return msgspec.json.decode(raw, type=Envelope)
    except (UnicodeDecodeError, msgspec.DecodeError, msgspec.ValidationError) as error:
        raise WireError(f"This is not a signed document: {error}.", code="bad-document") from error
