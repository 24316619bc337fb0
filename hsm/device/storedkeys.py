"""The keys in pki.db as records: what the file says about them without being opened."""

import sqlite3
from dataclasses import dataclass, field, replace

from hsm.device import spki
from hsm.device.base import KeyAttributes, KeyRecord, KeySpec
from hsm.device.codes import error_for
from hsm.device.objects import KeyFamily, ObjectRecord, Operation, ordered
from hsm.device.storefile import now_text

# The process that has the data key could hand a key out (it does so for ssl), and says so.
ATTRIBUTES = KeyAttributes(
    sensitive=False, extractable=True, local=True, never_extractable=False, always_sensitive=False
)
NOTHING_SECRET = KeyAttributes(None, None, None, None, None)
COLUMNS = "family, key_id, label, spec, spki, length(envelope) > 0, operations, imported"
Row = tuple[str, bytes, str, str, bytes, int, str, int]


@dataclass(frozen=True)
class KeyRow:
    """A key to be kept; `plain` is what goes into its envelope. `spec` is None for a kind that has no name here."""

    key_id: bytes
    family: KeyFamily
    spec: KeySpec | None
    label: str
    operations: frozenset[Operation]
    spki_der: bytes
    plain: bytes = field(repr=False)


def insert(
    database: sqlite3.Connection, row: KeyRow, data_key_id: int, envelope: bytes, *, own: bool, imported: bool
) -> None:
    """Write a key down, encrypted under a data key."""
    values = {
        "key_id": row.key_id,
        "version": 1,
        "data_key_id": data_key_id,
        "envelope": envelope,
        "label": row.label,
        "spki": row.spki_der,
        "created_at": now_text(),
        "family": row.family.value,
        "spec": row.spec.value if row.spec else "",
        "operations": operations_text(row.operations),
        "imported": int(imported),
        "own": int(own),
    }
    names, places = ", ".join(values), ", ".join(f":{name}" for name in values)
    database.execute(f"INSERT INTO envelope ({names}) VALUES ({places})", values)  # noqa: S608 - constants


def find(database: sqlite3.Connection, family: KeyFamily, key_id: bytes, *, own: bool = False) -> ObjectRecord | None:
    """Return a security object, or one of the console's own keys."""
    query = f"SELECT {COLUMNS} FROM envelope WHERE key_id = ? AND family = ? AND own IN (0, ?)"  # noqa: S608 - constant
    row = database.execute(query, (key_id, family.value, int(own))).fetchone()
    return record(row) if row else None


def find_all(database: sqlite3.Connection, *, own: bool) -> list[ObjectRecord]:
    """Return every security object, or every key of the console's own, in the order in which they were made."""
    query = f"SELECT {COLUMNS} FROM envelope WHERE own = ? ORDER BY rowid"  # noqa: S608 - constant
    return [record(row) for row in database.execute(query, (int(own),))]


def set_operations(
    database: sqlite3.Connection, family: KeyFamily, key_id: bytes, operations: frozenset[Operation]
) -> None:
    """Write down what a key is permitted to do."""
    database.execute(
        "UPDATE envelope SET operations = ? WHERE key_id = ? AND family = ? AND own = 0",
        (operations_text(operations), key_id, family.value),
    )


def operations_text(operations: frozenset[Operation]) -> str:
    """Return permissions as the file keeps them."""
    return " ".join(operation.value for operation in ordered(operations))


def record(row: Row) -> ObjectRecord:
    """Return a key as the port describes it. Raises StoreError for a row that no version of this program wrote."""
    family, key_id, label, spec_name, der, has_private, operations, imported = row
    try:
        spec = KeySpec(spec_name) if spec_name else None
        permitted = frozenset(map(Operation, operations.split()))
        pair = KeyFamily(family) is KeyFamily.KEY_PAIR
    except ValueError as error:
        raise error_for("STORE_DAMAGED") from error
    return ObjectRecord(
        family=KeyFamily(family),
        key_id=key_id,
        label=label,
        key_type=_key_type(spec, der),
        bits=spec.bits if spec else None,
        spec=spec,
        spki_der=der or None,
        has_private=bool(has_private),
        has_public=pair,
        operations=permitted,
        attributes=replace(ATTRIBUTES, local=not imported) if has_private else NOTHING_SECRET,
        modifiable=True,
    )


def key_record(item: ObjectRecord) -> KeyRecord:
    """Return a pair as `Device` describes it."""
    return KeyRecord(item.key_id, item.label, item.spki_der, item.has_private, item.has_public, item.attributes)


def _key_type(spec: KeySpec | None, der: bytes) -> str:
    if spec is None:
        return "EC" if spki.is_ec(spki.load(der)) else "RSA"
    return "AES" if spec.is_aes else "EC" if spec.is_ec else "RSA"
