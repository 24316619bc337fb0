"""Write to the PKI log (AMB-04): several processes at once, rotated, never in the way of the work."""

import fcntl
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from enum import StrEnum
from pathlib import Path

from django.conf import settings

from console.lib import clock
from console.pkilog.line import Level, Line

logger = logging.getLogger(__name__)

MODE = 0o660  # the worker and the listeners are users of one group, and write the same files
ROTATE_BYTES = 5 * 1024 * 1024
KEPT = 9


class Log(StrEnum):
    """The two files of a server."""

    PKI = "pki.log"
    TLS = "pki-tls.log"


def write(
    event: str,
    *,
    component: str,
    subject: object = "",
    result: object = "ok",
    level: Level = Level.INFO,
    log: Log = Log.PKI,
) -> None:
    """Append one line. A log that cannot be written (disk full, no right) is reported to the process log.

    Everything goes through str(): a Secret becomes `(protected)`.
    """
    line = Line(clock.now(), level, component, event, str(subject), str(result)).text()
    try:
        with _locked(folder()):
            path = folder() / log
            _rotate(path)
            _append(path, line.encode("ascii") + b"\n")
    except OSError as error:
        logger.warning("The PKI log cannot be written: %s", error.strerror)


def folder() -> Path:
    """Return the log folder of this server (HSI-43)."""
    return Path(settings.LOG_DIR)


@contextmanager
def _locked(where: Path) -> Iterator[None]:
    # One lock for both files: a process that rotates must not meet another one that has the old file open.
    where.mkdir(parents=True, exist_ok=True)
    lock = _open(where / ".pki.lock", os.O_WRONLY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)


def _append(path: Path, line: bytes) -> None:
    file = _open(path, os.O_WRONLY | os.O_APPEND)
    try:
        os.write(file, line)
    finally:
        os.close(file)


def _open(path: Path, how: int) -> int:
    file = os.open(path, how | os.O_CREAT | os.O_CLOEXEC, MODE)
    with suppress(PermissionError):  # another user made it, and did this
        os.fchmod(file, MODE)  # whatever the umask of the process is
    return file


def _rotate(path: Path) -> None:
    try:
        if path.stat().st_size < ROTATE_BYTES:
            return
    except FileNotFoundError:
        return
    for number in range(KEPT - 1, 0, -1):
        older = path.with_name(f"{path.name}.{number}")
        if older.exists():
            older.replace(path.with_name(f"{path.name}.{number + 1}"))
    path.replace(path.with_name(f"{path.name}.1"))
