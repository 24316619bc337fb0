"""The format of pki.db, and how a file of an older one becomes current: in one transaction, all or nothing.

Format 1 held the console's own key pairs only. Format 2 holds security objects of groups beside them (`own` is 0): any
key with its kind and its permissions. An empty `envelope` is a pair whose private half was removed, an empty `spki` a
secret key.
"""

import sqlite3

from hsm.device import spki
from hsm.device.codes import error_for

FORMAT = 2
# The console's own keys sign, and their signatures are verified.
TO_FORMAT_2 = (
    "ALTER TABLE envelope ADD COLUMN family TEXT NOT NULL DEFAULT 'key-pair'",
    "ALTER TABLE envelope ADD COLUMN spec TEXT NOT NULL DEFAULT ''",
    "ALTER TABLE envelope ADD COLUMN operations TEXT NOT NULL DEFAULT 'sign verify'",
    "ALTER TABLE envelope ADD COLUMN imported INTEGER NOT NULL DEFAULT 0",
    "ALTER TABLE envelope ADD COLUMN own INTEGER NOT NULL DEFAULT 1",
)


def bring_up_to_date(database: sqlite3.Connection) -> None:
    """Have the file in the current format. Raises StoreError STORE_NEWER for one of a later version."""
    if _format(database) == FORMAT:
        return
    if _format(database) > FORMAT:
        raise error_for("STORE_NEWER")
    database.execute("BEGIN IMMEDIATE")
    try:
        if _format(database) < FORMAT:  # another process may have been faster
            _to_format_2(database)
    except BaseException:
        database.execute("ROLLBACK")
        raise
    database.execute("COMMIT")


def _to_format_2(database: sqlite3.Connection) -> None:
    for statement in TO_FORMAT_2:
        database.execute(statement)
    for key_id, der in database.execute("SELECT key_id, spki FROM envelope").fetchall():
        spec = spki.spec_of(spki.load(der))
        database.execute("UPDATE envelope SET spec = ? WHERE key_id = ?", (spec.value if spec else "", key_id))
    database.execute("UPDATE store SET format = 2")


def _format(database: sqlite3.Connection) -> int:
    row = database.execute("SELECT format FROM store").fetchone()
    if row is None:
        raise error_for("STORE_DAMAGED")
    return int(row[0])
