"""Whose turn it is to write to SQLite: the processes of a host stand in line by the lock of a file.

SQLite by itself has one writer at a time, and whoever finds it busy sleeps and asks again, ever more seldom: a process
that writes without pause keeps the others out for longer than its writing takes. Other writers need no turn: they still
wait as SQLite has them wait.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import cast

from django.db import DEFAULT_DB_ALIAS, connections
from django.db.backends.sqlite3.base import DatabaseWrapper


@contextmanager
def turn() -> Iterator[None]:
    """Have the turn for the block."""
    sqlite = cast("DatabaseWrapper", connections[DEFAULT_DB_ALIAS])
    if sqlite.is_in_memory_db():
        yield
        return
    # Beside the database, and never the database itself: closing that would give up SQLite's own locks.
    file = os.open(f"{sqlite.settings_dict['NAME']}-turn", os.O_RDONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
    finally:
        os.close(file)
