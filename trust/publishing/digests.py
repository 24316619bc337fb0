"""Whether a document says something new: the digest of what it says, without its sequence and times."""

import msgspec

from console.lib.digest import canonical_json, sha256_hex
from trust.wire.documents import Payload

PASSING = ("sequence", "issued_at", "expires_at")


def digest(payload: Payload) -> str:
    """Return the SHA-256, hex, of everything but the sequence and the times of the document."""
    said = msgspec.to_builtins(payload)
    return sha256_hex(canonical_json({name: value for name, value in said.items() if name not in PASSING}))
