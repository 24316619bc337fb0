"""When clients were last seen: written in batches, at most every five minutes for each.

A registration that tells nothing new costs the database one read. That the client is there is kept in this process and
written each second, in short transactions; kill -9 loses at most the last second of it, and the counters since.

The counters kept here refuse a replay at once. What is promised where several processes or hosts serve, or this one is
started anew: a registration that is replayed to another of them can pass at most until the counter is written, and then
it tells nothing that the row does not say already, since everything new is written, with its counter, before it is
answered. So a replay never changes what is known of a client, except that it was seen.
"""

import atexit
import logging
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import Error as DatabaseError
from django.db import close_old_connections, connection, transaction
from django.db.backends.utils import CursorWrapper

from trust.clients import hotsql
from trust.clients.registration_errors import ReplayedError
from trust.clients.status import CONNECTED
from trust.models.clients import NEVER, Client
from trust.wire.messages import HIGHEST_COUNTER

logger = logging.getLogger(__name__)

WRITE_EVERY = timedelta(minutes=5)
FLUSH_EVERY_S = 1.0
# A client that has not come for so long is gone, or registers in another process.
FORGET_AFTER = WRITE_EVERY + timedelta(minutes=2)
MOST_ROWS = 500
TABLE = Client._meta.db_table


@dataclass(frozen=True)
class Sighting:
    """One client, as this process saw it last."""

    client: UUID
    counter: int
    at: datetime


Write = Callable[[Iterable[Sighting]], None]


def write(sightings: Iterable[Sighting]) -> None:
    """Store sightings. A row that says something later already keeps it."""
    # In the order of ids: two processes that write the same rows then wait, one for the other.
    ordered = sorted(sightings, key=lambda one: one.client)
    written = _write_at_once if hotsql.is_postgresql() else _write_each
    for first in range(0, len(ordered), MOST_ROWS):
        with transaction.atomic(), connection.cursor() as cursor:
            written(cursor, ordered[first : first + MOST_ROWS])


def _write_at_once(cursor: CursorWrapper, sightings: list[Sighting]) -> None:
    # Nobody is answered by it: what a crash of the database loses is the last second, as one of this process does, and
    # is due again with each client's next registration. Waiting for the disk took a third of the time.
    cursor.execute("SET LOCAL synchronous_commit = off")
    # Half the time of a statement for each row. The rows are looked up one by one, in the order of the arrays. Nothing
    # promises that order: locking them first would, for a fifth more of the database's time. What another order
    # could lead to is a deadlock, and then `flush` writes them a second later.
    cursor.execute(
        f"""
        UPDATE {TABLE} AS client SET last_seen = seen.at, counter = seen.counter,
            back_at = CASE WHEN abs(extract(epoch FROM seen.at - client.last_seen)) > %s
                THEN seen.at ELSE client.back_at END
        FROM unnest(%s::uuid[], %s::timestamptz[], %s::bigint[]) AS seen(id, at, counter)
        WHERE client.id = seen.id AND client.counter <= seen.counter
        """,  # noqa: S608 - our name
        [
            CONNECTED.total_seconds(),
            [one.client for one in sightings],
            [one.at for one in sightings],
            [one.counter for one in sightings],
        ],
    )


def _write_each(cursor: CursorWrapper, sightings: list[Sighting]) -> None:
    # Django has no UPDATE with a value of its own for each row that would also compare with the stored one.
    cursor.executemany(
        f"""
        UPDATE {TABLE} SET last_seen = %s, counter = %s,
            back_at = CASE WHEN last_seen BETWEEN %s AND %s THEN back_at ELSE %s END
        WHERE id = %s AND counter <= %s
        """,  # noqa: S608 - our name
        [[*map(hotsql.value, _values(one))] for one in sightings],
    )


def _values(one: Sighting) -> tuple[Any, ...]:
    return one.at, one.counter, one.at - CONNECTED, one.at + CONNECTED, one.at, one.client, one.counter


@dataclass
class Sightings:
    """What this process saw and has not written, and the counters that it knows. Safe between threads."""

    write: Write = write
    _known: dict[UUID, Sighting] = field(default_factory=dict)
    _due: dict[UUID, Sighting] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _writing: threading.Lock = field(default_factory=threading.Lock)
    _stop: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None
    _swept: datetime = NEVER

    def check(self, client: Client, counter: int) -> None:
        """Raise ReplayedError unless the counter is higher than every one known, here and in the row."""
        with self._lock:
            self._check(client, counter)

    def note(self, client: Client, counter: int, now: datetime) -> None:
        """Remember a registration; raises ReplayedError as `check` does, for the later of two at once."""
        sighting = Sighting(client.pk, min(counter, HIGHEST_COUNTER), now)
        with self._lock:
            self._check(client, counter)
            self._known[client.pk] = sighting
            # A row from the future was written by a clock that was wrong: it must not keep the client "connected".
            if client.pk in self._due or not timedelta() <= now - client.last_seen < WRITE_EVERY:
                self._due[client.pk] = sighting

    def written(self, client: Client, counter: int, now: datetime) -> None:
        """Remember a registration that is in the database already."""
        with self._lock:
            self._known[client.pk] = Sighting(client.pk, min(counter, HIGHEST_COUNTER), now)
            self._due.pop(client.pk, None)

    def _check(self, client: Client, counter: int) -> None:
        known = self._known.get(client.pk)
        highest = max(client.counter, known.counter if known else 0)
        if counter <= highest:
            raise ReplayedError(highest)

    def flush(self) -> int:
        """Write what is due, and return how many rows; on a fault of the database it stays due."""
        with self._writing:
            with self._lock:
                due, self._due = self._due, {}
            if not due:
                return 0
            try:
                self.write(due.values())
            except DatabaseError:
                with self._lock:
                    self._due = due | self._due
                raise
            return len(due)

    def sweep(self, now: datetime) -> None:
        """Forget the counters of clients that came long ago; the next `flush` writes them."""
        with self._lock:
            if now - self._swept < FORGET_AFTER:
                return
            self._swept = now
            gone = {key: one for key, one in self._known.items() if now - one.at >= FORGET_AFTER}
            for key in gone:
                del self._known[key]
            self._due = gone | self._due

    def start(self) -> None:
        """Write each second from now on, in a thread of this process; called once it has forked."""
        if self._thread is None:
            self._stop.clear()
            self._thread = threading.Thread(target=self._run, name="sightings", daemon=True)
            self._thread.start()
            atexit.register(self.stop)

    def stop(self) -> None:
        """Write what is left, and end the thread."""
        self._stop.set()
        thread, self._thread = self._thread, None
        if thread is not None:
            thread.join()

    def _run(self) -> None:
        while not self._stop.wait(FLUSH_EVERY_S):
            self._flush_safely()
        self._flush_safely()
        connection.close()

    def _flush_safely(self) -> None:
        began = time.monotonic()
        try:
            number = self.flush()
            self.sweep(datetime.now(tz=UTC))
        except DatabaseError:
            logger.exception("What was seen of clients cannot be written; it is tried again.")
            close_old_connections()
        else:
            if number:
                logger.debug("%d sightings written in %.3f s", number, time.monotonic() - began)


SIGHTINGS = Sightings()
