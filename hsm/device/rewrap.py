"""Change what opens pki.db, in steps that each are one transaction; a worker killed at any of them can go on.

    begin      the intention is written down                                   -> PENDING
    step       a second slot opens the store, and a new data key is there      -> SECOND_SLOT
    step …     the envelopes are encrypted again under the new data key        -> SECOND_SLOT
    step       the new slot is the active one; until here both secrets open    -> PROMOTED
    step       the old slot and the old data keys are removed                  -> no change

Only the first step needs the new secret, and every step up to promotion works with the old or the new one. What
opened the store before is gone for good once the traces are cleared as well (`StoreFile.purge`), after the last step.
"""

import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from hsm.device import envelopes, keyring
from hsm.device.codes import error_for
from hsm.device.envelopes import Opener, SlotKind
from hsm.device.storefile import StoreFile

BATCH = 50


class ChangeStep(StrEnum):
    """How far a change has come."""

    PENDING = "pending"
    SECOND_SLOT = "second slot"
    PROMOTED = "promoted"


@dataclass(frozen=True)
class StoreState:
    """What opens the store, and the change that is going on: `done` of `total` envelopes are under the new key."""

    opens_with: SlotKind
    change: ChangeStep | None
    changing_to: SlotKind | None
    done: int
    total: int


def read_state(file: StoreFile) -> StoreState:
    """Return the state of the store; needs no secret."""
    with file.reading() as database:
        change = database.execute("SELECT step, kind FROM change").fetchone()
        total, done = _progress(database)
        return StoreState(
            opens_with=keyring.slot_kind(database),
            change=ChangeStep(change[0]) if change else None,
            changing_to=SlotKind(change[1]) if change else None,
            done=done,
            total=total,
        )


def begin(file: StoreFile, kind: SlotKind, openers: Iterable[Opener]) -> None:
    """Write the intention down. Raises StoreLockedError when nothing at hand opens the store, before any change."""
    with file.writing() as database:
        keyring.open_slot(database, openers)
        if database.execute("SELECT 1 FROM change").fetchone():
            raise error_for("STORE_CHANGE", detail="Another change is going on.")
        database.execute("INSERT INTO change VALUES (1, ?, ?, NULL)", (kind.value, ChangeStep.PENDING.value))


def advance(file: StoreFile, new: Opener, openers: Iterable[Opener]) -> None:
    """Do the next step; nothing when no change is going on."""
    with file.writing() as database:
        change = database.execute("SELECT step, slot_id, kind FROM change").fetchone()
        if change is None:
            return
        step, slot_id, kind = change
        match ChangeStep(step):
            case ChangeStep.PENDING:
                if kind != new.kind:
                    raise error_for("STORE_CHANGE", detail="The change is to another kind of secret.")
                _add_second_slot(database, new, openers)
            case ChangeStep.SECOND_SLOT if _is_old_left(database):
                _encrypt_batch_again(database, keyring.open_slot(database, [new, *openers]))
            case ChangeStep.SECOND_SLOT:
                _promote(database, slot_id)
            case ChangeStep.PROMOTED:
                _remove_old(database)


def abandon(file: StoreFile) -> None:
    """Give a change up before promotion: the second slot goes, and what opened the store before still opens all of it.

    Raises StoreError STORE_CHANGE after promotion; the change can only be finished then.
    """
    with file.writing() as database:
        change = database.execute("SELECT step, slot_id FROM change").fetchone()
        if change is None:
            return
        if change[0] == ChangeStep.PROMOTED:
            raise error_for("STORE_CHANGE", detail="It is too late to give the change up.")
        database.execute("DELETE FROM change")
        database.execute("DELETE FROM wrap WHERE slot_id IN (SELECT id FROM slot WHERE state = 'second')")
        database.execute("DELETE FROM slot WHERE state = 'second'")


def _add_second_slot(database: sqlite3.Connection, new: Opener, openers: Iterable[Opener]) -> None:
    opened = keyring.open_slot(database, openers)
    data_key_id, data_key = keyring.add_data_key(database)
    keyring.put(database, opened.slot_id, opened.slot_key, data_key_id, data_key)
    both = {**opened.data_keys, data_key_id: data_key}
    slot_id = keyring.add_slot(database, new, state="second", data_keys=both)
    database.execute("UPDATE change SET step = ?, slot_id = ?", (ChangeStep.SECOND_SLOT.value, slot_id))


def _encrypt_batch_again(database: sqlite3.Connection, opened: keyring.OpenSlot) -> None:
    current = keyring.current_data_key_id(database)
    rows = database.execute(
        "SELECT key_id, version, data_key_id, envelope FROM envelope WHERE data_key_id <> ? LIMIT ?", (current, BATCH)
    ).fetchall()
    for key_id, version, data_key_id, envelope in rows:
        again = b""  # as it was, when the private half was removed
        if envelope:
            plain = envelopes.disclose(opened.data_keys[data_key_id], envelope, key_id=key_id, version=version)
            if plain is None:
                raise error_for("STORE_DAMAGED", detail=f"The envelope of key {key_id.hex()} does not open.")
            again = envelopes.enclose(opened.data_keys[current], plain, key_id=key_id, version=version + 1)
        database.execute(
            "UPDATE envelope SET version = ?, data_key_id = ?, envelope = ? WHERE key_id = ?",
            (version + 1, current, again, key_id),
        )


def _promote(database: sqlite3.Connection, slot_id: int) -> None:
    database.execute("UPDATE slot SET state = 'retired' WHERE state = 'active'")
    database.execute("UPDATE slot SET state = 'active' WHERE id = ?", (slot_id,))
    database.execute("UPDATE change SET step = ?", (ChangeStep.PROMOTED.value,))


def _remove_old(database: sqlite3.Connection) -> None:
    current = keyring.current_data_key_id(database)
    database.execute("DELETE FROM change")
    database.execute(
        "DELETE FROM wrap WHERE data_key_id <> ? OR slot_id IN (SELECT id FROM slot WHERE state = 'retired')",
        (current,),
    )
    database.execute("DELETE FROM slot WHERE state = 'retired'")
    database.execute("DELETE FROM data_key WHERE id <> ?", (current,))


def _is_old_left(database: sqlite3.Connection) -> bool:
    total, done = _progress(database)
    return done < total


def _progress(database: sqlite3.Connection) -> tuple[int, int]:
    """Return the number of envelopes, and of those under the current data key."""
    current = keyring.current_data_key_id(database)
    total, done = database.execute(
        "SELECT count(*), coalesce(sum(data_key_id = ?), 0) FROM envelope", (current,)
    ).fetchone()
    return int(total), int(done)
