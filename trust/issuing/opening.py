"""The listener opens what the worker filed: once for each version of the file, and keeps the last one that was good."""

import logging
import os
import threading
from collections.abc import Callable
from functools import cache
from pathlib import Path

from django.conf import settings

from console.lib.errors import UnavailableError
from console.lib.sealingpair import SealingPair
from trust.issuing import contents, envelope, places
from trust.issuing.contents import Issuing

logger = logging.getLogger(__name__)

Signature = tuple[int, int, int]


class Opened:
    """The file, as it was last good. Safe for several threads."""

    def __init__(self, path: Path, open_sealed: Callable[[bytes], bytes]) -> None:
        self._path = path
        self._open_sealed = open_sealed
        self._lock = threading.Lock()
        self._seen: Signature | None = None
        self._issuing: Issuing | None = None

    def current(self) -> Issuing:
        """Return what the file says now; raises UnavailableError before it was good once."""
        seen = _signature(self._path)
        if seen is not None and seen != self._seen:
            with self._lock:
                if seen != self._seen:
                    self._read()
        if self._issuing is None:
            raise UnavailableError(
                "The worker has not handed the keys over yet, so nothing can be signed for a client.",
                code="not-filed",
                next_step="It does so within seconds of its start. Try again in a moment.",
            )
        return self._issuing

    def _read(self) -> None:
        try:
            with self._path.open("rb") as file:
                found = os.fstat(file.fileno())
                sealed = envelope.sealed_part(file.read())
            self._issuing = contents.decode(self._open_sealed(sealed))
            self._seen = (found.st_ino, found.st_mtime_ns, found.st_size)
            logger.info("The keys that the worker filed at %s are in use.", self._issuing.made_at)
        except (OSError, ValueError, UnavailableError) as error:
            # Seen all the same: a file that is not good does not become so by being read at each request.
            self._seen = _signature(self._path)
            mend = getattr(error, "next_step", "")
            logger.error("The keys that the worker filed are not used, the former ones stay: %s %s", error, mend)  # noqa: TRY400


def _signature(path: Path) -> Signature | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size


@cache
def pair() -> SealingPair:
    """Return the listener's own sealing pair, read once for each process."""
    return SealingPair.load(places.private_file(), places.LISTENER)


@cache
def _opened() -> Opened:
    return Opened(places.issuing_file(), _open_sealed)


def _open_sealed(sealed: bytes) -> bytes:
    return pair().open(sealed, purpose=places.PURPOSE, row_id=settings.SERVER_NAME).reveal_bytes()


def issuing() -> Issuing:
    """Return the keys in use; raises UnavailableError before the worker has filed them for the first time."""
    return _opened().current()


def forget() -> None:
    """Read everything anew at the next call: for tests, whose files change place."""
    pair.cache_clear()
    _opened.cache_clear()
