"""The key slots of pki.db and the data keys that they wrap, in the tables `slot`, `data_key` and `wrap`.

Outside a change there is one active slot. During a change there is a second one; each of them opens every data key.
A retired slot opens nothing any more. The current data key is the newest one.
"""

import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass, field

from hsm.device import envelopes
from hsm.device.codes import error_for
from hsm.device.envelopes import Opener, SlotKind
from hsm.device.storefile import now_text


@dataclass(frozen=True)
class OpenSlot:
    """A slot that an opener opened: its key, and the data keys by their ids."""

    slot_id: int
    slot_key: bytes = field(repr=False)
    data_keys: dict[int, bytes] = field(repr=False)


def open_slot(database: sqlite3.Connection, openers: Iterable[Opener]) -> OpenSlot:
    """Return the first slot that one of the openers opens. Raises StoreLockedError; changes nothing."""
    slots = database.execute(
        "SELECT id, kind, salt FROM slot WHERE state IN ('active', 'second') ORDER BY id"
    ).fetchall()
    for opener in openers:
        for slot_id, kind, salt in slots:
            if kind == opener.kind and (opened := _try(database, slot_id, opener.slot_key(salt))):
                return opened
    raise error_for("STORE_LOCKED")


def add_slot(database: sqlite3.Connection, opener: Opener, *, state: str, data_keys: dict[int, bytes]) -> int:
    """Make a slot that opens the given data keys, and return its id."""
    salt = envelopes.new_salt()
    row = database.execute(
        "INSERT INTO slot (kind, state, salt, created_at) VALUES (?, ?, ?, ?)",
        (opener.kind.value, state, salt, now_text()),
    )
    slot_id = int(row.lastrowid or 0)
    slot_key = opener.slot_key(salt)
    for data_key_id, data_key in data_keys.items():
        put(database, slot_id, slot_key, data_key_id, data_key)
    return slot_id


def add_data_key(database: sqlite3.Connection) -> tuple[int, bytes]:
    """Make a data key, which is the current one from now on; the caller puts it into the slots."""
    row = database.execute("INSERT INTO data_key (created_at) VALUES (?)", (now_text(),))
    return int(row.lastrowid or 0), envelopes.new_data_key()


def put(database: sqlite3.Connection, slot_id: int, slot_key: bytes, data_key_id: int, data_key: bytes) -> None:
    """Put a data key into a slot."""
    wrapped = envelopes.wrap(slot_key, data_key, slot_id=slot_id, data_key_id=data_key_id)
    database.execute("INSERT INTO wrap VALUES (?, ?, ?)", (slot_id, data_key_id, wrapped))


def current_data_key_id(database: sqlite3.Connection) -> int:
    """Return the id of the data key that new envelopes use."""
    (newest,) = database.execute("SELECT max(id) FROM data_key").fetchone()
    if newest is None:
        raise error_for("STORE_DAMAGED")
    return int(newest)


def slot_kind(database: sqlite3.Connection) -> SlotKind:
    """Return what opens the active slot."""
    row = database.execute("SELECT kind FROM slot WHERE state = 'active'").fetchone()
    if row is None:
        raise error_for("STORE_DAMAGED")
    return SlotKind(row[0])


def _try(database: sqlite3.Connection, slot_id: int, slot_key: bytes) -> OpenSlot | None:
    data_keys = {}
    for data_key_id, wrapped in database.execute("SELECT data_key_id, wrapped FROM wrap WHERE slot_id = ?", (slot_id,)):
        data_key = envelopes.unwrap(slot_key, wrapped, slot_id=slot_id, data_key_id=data_key_id)
        if data_key is None:
            return None
        data_keys[data_key_id] = data_key
    return OpenSlot(slot_id, slot_key, data_keys) if data_keys else None
