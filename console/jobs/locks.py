"""Which attempts still have a process: each holds a locked file in the state folder while it is at work.

The kernel lets go of a lock when the process that took it is gone, by kill -9 or with the whole machine too, and no
process id that is used again can deceive it. So whoever finds a file that nobody holds knows of an attempt that has
ended. Nothing follows from a file that is not here: the attempt may be another host's, so its lease counts.
"""

import fcntl
import logging
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from django.conf import settings

NAME = re.compile(r"(?P<job>[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\.(?P<number>[0-9]+)")

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Attempt:
    """One attempt at a job."""

    job_id: UUID
    number: int

    @property
    def path(self) -> Path:
        """Return where its lock lies."""
        return _folder() / f"{self.job_id}.{self.number}"


@contextmanager
def held(attempt: Attempt) -> Iterator[None]:
    """Hold the lock of an attempt that this process has claimed. The file stays when the work ends by an exception.

    Call it in the process that does the work: what is forked while the lock is held holds it, too. A program that is
    started does not. Without a place for the file the work is done all the same, and its lease alone counts.
    """
    try:
        descriptor = _take(attempt)
    except OSError as error:
        logger.warning("Job %s works without a lock, its lease counts: %s", attempt.job_id, error.strerror)
        yield
        return
    try:
        yield
        attempt.path.unlink(missing_ok=True)
    finally:
        os.close(descriptor)


def left() -> list[Attempt]:
    """Return the attempts whose process is gone; each is found again until it is forgotten."""
    names = map(NAME.fullmatch, (path.name for path in _folder().glob("*.*")))
    found = [Attempt(UUID(name["job"]), int(name["number"])) for name in names if name]
    return [attempt for attempt in found if _is_left(attempt)]


def forget(attempt: Attempt) -> None:
    """Remove the file of an attempt that is settled."""
    attempt.path.unlink(missing_ok=True)


def _take(attempt: Attempt) -> int:
    _folder().mkdir(mode=0o700, parents=True, exist_ok=True)
    # The name appears with the lock on it: nobody finds a file that is not held yet.
    nameless = _folder() / f".{os.getpid()}"
    descriptor = os.open(nameless, os.O_RDONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        nameless.rename(attempt.path)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def _is_left(attempt: Attempt) -> bool:
    try:
        descriptor = os.open(attempt.path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False  # it has ended well meanwhile
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(descriptor)
    return True


def _folder() -> Path:
    return Path(settings.STATE_DIR) / "run" / "jobs"
