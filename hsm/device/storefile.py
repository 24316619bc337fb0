"""The file pki.db: SQLite with secure_delete, synchronous=FULL and mode 0600, one connection for each transaction.

secure_delete overwrites what is deleted in the file; the write-ahead log is emptied by `purge`, so that the old
envelope of a destroyed or re-encrypted key does not stay behind there. Where `purge` cannot, the next one does, or
SQLite itself when the last connection is closed, also after a crash.
"""

import fcntl
import os
import secrets
import sqlite3
import stat
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path

from hsm.device.codes import error_for
from hsm.device.errors import DeviceError
from hsm.device.storeformat import bring_up_to_date

BUSY_S = 30.0
PURGE_S = 60.0
# An attempt to empty the log keeps writers out while it waits for readers: the first waits for nobody, later ones do.
PATIENCE_S = 1.0
STEP_S = 0.05
PAUSE_S = 0.2  # a writer who waits looks every 0.1 s
# Of format 1; `storeformat` says what came later.
SCHEMA = """
CREATE TABLE store (
    id INTEGER PRIMARY KEY CHECK (id = 1), format INTEGER NOT NULL, serial TEXT NOT NULL, created_at TEXT NOT NULL
) STRICT;
CREATE TABLE slot (
    id INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT NOT NULL CHECK (kind IN ('password', 'sealing')),
    state TEXT NOT NULL CHECK (state IN ('active', 'second', 'retired')), salt BLOB NOT NULL, created_at TEXT NOT NULL
) STRICT;
CREATE TABLE data_key (id INTEGER PRIMARY KEY AUTOINCREMENT, created_at TEXT NOT NULL) STRICT;
CREATE TABLE wrap (
    slot_id INTEGER NOT NULL REFERENCES slot, data_key_id INTEGER NOT NULL REFERENCES data_key, wrapped BLOB NOT NULL,
    PRIMARY KEY (slot_id, data_key_id)
) STRICT;
CREATE TABLE envelope (
    key_id BLOB PRIMARY KEY, version INTEGER NOT NULL, data_key_id INTEGER NOT NULL REFERENCES data_key,
    envelope BLOB NOT NULL, label TEXT NOT NULL, spki BLOB NOT NULL, created_at TEXT NOT NULL
) STRICT;
CREATE TABLE change (
    id INTEGER PRIMARY KEY CHECK (id = 1), kind TEXT NOT NULL, step TEXT NOT NULL, slot_id INTEGER REFERENCES slot
) STRICT;
"""
CODES = {
    "SQLITE_BUSY": "STORE_BUSY",
    "SQLITE_LOCKED": "STORE_BUSY",
    "SQLITE_PROTOCOL": "STORE_BUSY",  # the race to open the log was lost too often
    "SQLITE_FULL": "STORE_FULL",
    "SQLITE_IOERR": "STORE_FULL",
    "SQLITE_READONLY": "STORE_FULL",
    "SQLITE_CANTOPEN": "STORE_FULL",
    "SQLITE_NOTADB": "STORE_DAMAGED",
    "SQLITE_CORRUPT": "STORE_DAMAGED",
    "SQLITE_ERROR": "STORE_DAMAGED",
    "SQLITE_CONSTRAINT": "STORE_DAMAGED",
}


class StoreFile:
    """Transactions on an existing pki.db. Every method raises StoreError."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """Yield a connection that sees one state of the file."""
        with self._connection() as database:
            database.execute("BEGIN")
            yield database
            database.execute("ROLLBACK")

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """Yield a connection in a write transaction, committed at the end of the block."""
        with self._connection() as database:
            database.execute("BEGIN IMMEDIATE")
            try:
                yield database
            except BaseException:
                if database.in_transaction:
                    database.execute("ROLLBACK")
                raise
            database.execute("COMMIT")

    def purge(self) -> None:
        """Empty the write-ahead log, whoever wrote into it; at once when another purge did so.

        Raises StoreError STORE_NOT_CLEARED when others stand in the way for too long, or the disk is full. What was
        committed before stays committed.
        """
        end, wait_s = time.monotonic() + PURGE_S, 0.0
        with self._connection() as database, _alone_in(self.path.parent, end):
            while not _empties_log(database, wait_s):
                _pause(PAUSE_S if wait_s else STEP_S, end)
                wait_s = min(wait_s + STEP_S, PATIENCE_S)

    def copy_to(self, target: Path) -> None:
        """Write a consistent copy to a new file, mode 0600 (SQLite's backup API)."""
        _new_file(target)
        with self._connection() as database, closing(sqlite3.connect(target)) as copy:
            database.backup(copy)

    @contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        self._check_file()
        try:
            with closing(_connect(self.path)) as database:
                bring_up_to_date(database)
                yield database
        except sqlite3.Error as error:
            raise store_error(error) from error

    def _check_file(self) -> None:
        try:
            facts = self.path.stat()
        except OSError as error:
            raise error_for("STORE_MISSING") from error
        if stat.S_IMODE(facts.st_mode) & 0o077 or facts.st_uid != os.geteuid():
            raise error_for("STORE_UNSAFE")


@contextmanager
def creating(path: Path) -> Iterator[sqlite3.Connection]:
    """Yield a connection to a new store, which gets its name only when the block has ended well.

    A crash leaves a file `pki.db.new-…` without keys, and no half-made pki.db. Raises StoreError STORE_EXISTS.
    """
    draft = path.with_name(f"{path.name}.new-{secrets.token_hex(4)}")
    _new_file(draft)
    try:
        with closing(_connect(draft)) as database:
            database.execute("PRAGMA journal_mode=WAL")
            database.executescript(SCHEMA)
            database.execute("INSERT INTO store VALUES (1, 1, ?, ?)", (secrets.token_hex(8), now_text()))
            bring_up_to_date(database)
            database.execute("BEGIN IMMEDIATE")
            yield database
            database.execute("COMMIT")
        os.link(draft, path)  # unlike rename, it never replaces a file
    except sqlite3.Error as error:
        raise store_error(error) from error
    except FileExistsError as error:
        raise error_for("STORE_EXISTS") from error
    finally:
        draft.unlink(missing_ok=True)
    _sync_directory(path.parent)


def store_error(error: sqlite3.Error) -> DeviceError:
    """Return what an error of SQLite means here; after an I/O error nobody knows whether the last write holds."""
    name = getattr(error, "sqlite_errorname", "SQLITE_ERROR")
    family = "_".join(name.split("_")[:2])
    return error_for(CODES.get(family, "STORE_DAMAGED"), outcome_unknown=family == "SQLITE_IOERR")


def now_text() -> str:
    """Return the time in UTC, as the file keeps it."""
    return datetime.now(tz=UTC).isoformat(timespec="seconds")


def _connect(path: Path) -> sqlite3.Connection:
    database = sqlite3.connect(f"{path.absolute().as_uri()}?mode=rw", uri=True, timeout=BUSY_S, isolation_level=None)
    for pragma in ("secure_delete=ON", "synchronous=FULL", "foreign_keys=ON", "trusted_schema=OFF"):
        database.execute(f"PRAGMA {pragma}")
    return database


@contextmanager
def _alone_in(folder: Path, end: float) -> Iterator[None]:
    """Let one purge work at a time: several in turn would keep writers out for good.

    The lock is on the folder, because closing any descriptor of the file itself would lose the locks of SQLite.
    """
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        while not _locks(descriptor):
            _pause(STEP_S, end)
        yield
    finally:
        os.close(descriptor)


def _locks(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _pause(pause_s: float, end: float) -> None:
    if time.monotonic() > end:
        raise error_for("STORE_NOT_CLEARED")
    time.sleep(pause_s)


def _empties_log(database: sqlite3.Connection, wait_s: float) -> bool:
    """Try once. SQLite waits for readers and writers, but never for another connection that does the same."""
    database.execute(f"PRAGMA busy_timeout={wait_s * 1000:.0f}")
    try:
        (busy, *_), *_ = database.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    except sqlite3.OperationalError as error:
        if store_error(error).code != "STORE_BUSY":
            raise error_for("STORE_NOT_CLEARED") from error
        return False
    return not busy


def _new_file(path: Path) -> None:
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    except FileExistsError as error:
        raise error_for("STORE_EXISTS") from error
    except OSError as error:
        raise error_for("STORE_FULL") from error


def _sync_directory(path: Path) -> None:
    directory = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
