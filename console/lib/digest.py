"""Digests, and the one way in which a mapping becomes bytes."""

import hashlib
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from console.lib.secret import PROTECTED, Secret


def canonical_json(value: Any) -> bytes:
    """Return UTF-8 JSON with sorted keys and no spaces; a Secret becomes `(protected)`.

    Raises TypeError for a type that has no one spelling (floats included).
    """
    return json.dumps(_plain(value), sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def _plain(value: Any) -> Any:
    match value:
        case None | bool() | int() | str():
            # str() also flattens enums, whose JSON spelling would depend on their class.
            return value if value is None or isinstance(value, bool | int) else str(value)
        case Secret():
            return PROTECTED
        case datetime():
            return timestamp(value)
        case UUID():
            return str(value)
        case dict():
            return {str(key): _plain(item) for key, item in value.items()}
        case list() | tuple():
            return [_plain(item) for item in value]
    raise TypeError(f"{type(value).__name__} has no canonical form.")


def timestamp(moment: datetime) -> str:
    """Return an aware time as `2026-11-21T22:40:00.000000Z`."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def sha256_hex(data: bytes) -> str:
    """Return the SHA-256 digest as 64 hex digits."""
    return hashlib.sha256(data).hexdigest()


def spki_fingerprint(spki_der: bytes) -> str:
    """Return the fingerprint of a public key: SHA-256 of its DER SubjectPublicKeyInfo (RFC 5280 §4.1.2.7)."""
    return sha256_hex(spki_der)


def groups(hex_digest: str, size: int = 4) -> Iterator[str]:
    """Yield a digest in groups of `size` digits, for reading aloud."""
    return (hex_digest[at : at + size] for at in range(0, len(hex_digest), size))
