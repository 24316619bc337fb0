"""What a device says about a key, as the columns of its row, in the terms of `hsm.syncing.facts`."""

from datetime import datetime
from typing import Any

from console.lib.digest import spki_fingerprint
from hsm.device.listing import record_digest
from hsm.device.objects import ObjectRecord, Operation, ordered
from hsm.models.objects import SecurityObject
from hsm.syncing import facts


def values(operations: frozenset[Operation]) -> list[str]:
    """Return permissions as a row holds them."""
    return [str(operation) for operation in ordered(operations)]


def operations(key: SecurityObject) -> frozenset[Operation]:
    """Return what the console permits a key to do."""
    return frozenset(Operation(value) for value in key.operations)


def hsm_columns(record: ObjectRecord, now: datetime) -> dict[str, Any]:
    """Return the columns that say what the device said, and that the key is there."""
    said = facts.of(record)
    return {
        "hsm_label": said.label,
        "hsm_operations": values(said.operations),
        "hsm_attributes": dict(said.attributes),
        "hsm_has_private": said.has_private,
        "hsm_has_public": said.has_public,
        "hsm_fingerprint": said.fingerprint,
        "hsm_digest": record_digest(record),
        "hsm_seen_at": now,
        "missing_since": None,
    }


def public_columns(spki_der: bytes | None) -> dict[str, Any]:
    """Return the columns of the public half; a secret key has none."""
    return {"spki_der": spki_der, "fingerprint": spki_fingerprint(spki_der) if spki_der else ""}
