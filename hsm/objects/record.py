"""What a device says about a key, as the columns of its row. The one place that fills them."""

from dataclasses import asdict
from datetime import datetime
from typing import Any

from console.lib.digest import canonical_json, sha256_hex, spki_fingerprint
from hsm.device.objects import ObjectRecord, ordered


def operation_values(record: ObjectRecord) -> list[str]:
    """Return the permissions as a row holds them."""
    return [str(operation) for operation in ordered(record.operations)]


def digest(record: ObjectRecord) -> str:
    """Return SHA-256, hex, over everything that the device said."""
    said = asdict(record) | {
        "key_id": record.key_id.hex(),
        "spki_der": record.spki_der.hex() if record.spki_der is not None else None,
        "operations": operation_values(record),
    }
    return sha256_hex(canonical_json(said))


def hsm_columns(record: ObjectRecord, now: datetime) -> dict[str, Any]:
    """Return the columns that say what the HSM said, and that the key is there."""
    return {
        "hsm_label": record.label[:255],
        "hsm_operations": operation_values(record),
        "hsm_attributes": asdict(record.attributes) | {"modifiable": record.modifiable},
        "hsm_has_private": record.has_private,
        "hsm_digest": digest(record),
        "hsm_seen_at": now,
        "missing_since": None,
    }


def key_columns(record: ObjectRecord) -> dict[str, Any]:
    """Return the columns that say what kind of key it is; they never change while it lives."""
    return {
        "family": str(record.family),
        "spec": str(record.spec or ""),
        "key_type": record.key_type,
        "bits": record.bits,
        "key_id": record.key_id.hex(),
        **public_columns(record.spki_der),
    }


def public_columns(spki_der: bytes | None) -> dict[str, Any]:
    """Return the columns of the public half; a secret key has none."""
    return {"spki_der": spki_der, "fingerprint": spki_fingerprint(spki_der) if spki_der else ""}
