"""Digests, and the one way in which a mapping becomes bytes."""

import hashlib
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from console.lib.secret import Secret


def canonical_json(value: Any) -> bytes:
    """Return UTF-8 JSON with sorted keys and no spaces; a Secret becomes `(protected)`.

    Raises TypeError for a type that has no one spelling (floats included).
    """
    return _ENCODER.encode(_plain(value)).encode()


# Made once, and plain values looked up by type first: Verify does this for every entry of the log.
_ENCODER = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False)
_AS_IS = {str, int, bool, type(None)}


def _plain(value: Any) -> Any:
    if type(value) in _AS_IS:
        return value
    match value:
        case int():
            return value
        case str() | UUID() | Secret():
            # str() flattens enums, whose JSON spelling would depend on their class; of a Secret it is `(protected)`.
            return str(value)
        case datetime():
            return timestamp(value)
        case dict():
            return {str(key): _plain(item) for key, item in value.items()}
        case list() | tuple():
            return [_plain(item) for item in value]
    raise TypeError(f"{type(value).__name__} has no canonical form.")


def timestamp(moment: datetime) -> str:
    """Return an aware time as `2026-11-21T22:40:00.000000Z`."""
    return f"{moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec='microseconds')}Z"


def sha256_hex(data: bytes) -> str:
    """Return the SHA-256 digest as 64 hex digits."""
    return hashlib.sha256(data).hexdigest()


def spki_fingerprint(spki_der: bytes) -> str:
    """Return the fingerprint of a public key: SHA-256 of its DER SubjectPublicKeyInfo (RFC 5280 §4.1.2.7)."""
    return sha256_hex(spki_der)


def groups(hex_digest: str, size: int = 4) -> Iterator[str]:
    """Yield a digest in groups of `size` digits, for reading aloud."""
    return (hex_digest[at : at + size] for at in range(0, len(hex_digest), size))
