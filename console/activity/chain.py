"""The hash chain over the activity log: pure functions, no database.

Each entry's hash covers every field of the entry and the hash of the one before it, as canonical JSON.
"""

from collections.abc import Mapping
from typing import Any

from console.lib.digest import canonical_json, sha256_hex

GENESIS = "0" * 64

# The fields that an entry's hash covers, besides the hash of the entry before it.
FIELDS = (
    "seq",
    "at",
    "server",
    "actor_kind",
    "actor",
    "actor_id",
    "planned_by",
    "action",
    "subject_kind",
    "subject_id",
    "subject_label",
    "outcome",
    "details",
)


def entry_hash(previous_hash: str, fields: Mapping[str, Any]) -> str:
    """Return the hash (64 hex digits) of an entry whose `fields` are those named in FIELDS."""
    return sha256_hex(canonical_json({"previous": previous_hash, **{name: fields[name] for name in FIELDS}}))
