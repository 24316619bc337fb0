"""Write to the PKI log (AMB-04): several processes at once, rotated, never in the way of the work."""

import fcntl
import logging
import os
import threading
from contextlib import suppress
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
        _appenders[log].append(folder() / log, line.encode("ascii") + b"\n")
    except OSError as error:
        logger.warning("The PKI log cannot be written: %s", error.strerror)


def folder() -> Path:
    """Return the log folder of this server (HSI-43)."""
    return Path(settings.LOG_DIR)


class _Appender:
    """Keeps the file of one log open. Its lock is on the file itself; safe between threads, processes and forks.

    Who had to wait for the lock finds by the path whether the file was rotated or removed meanwhile.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._path = Path()
        self._file: int | None = None

    def append(self, path: Path, line: bytes) -> None:
        with self._lock:
            while not self._try(path, line):
                self.close()

    def _try(self, path: Path, line: bytes) -> bool:
        """Write the line, or return False when the file at the path is not, or not any more, the open one."""
        if self._file is None or self._path != path:
            self.close()
            self._path, self._file = path, _open(path)
        file = self._file
        fcntl.flock(file, fcntl.LOCK_EX)
        try:
            size = _size_if_same(path, file)
            if size is None:
                return False
            if size >= ROTATE_BYTES:
                _rotate(path)
                return False
            os.write(file, line)
            return True
        finally:
            fcntl.flock(file, fcntl.LOCK_UN)

    def close(self) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None


_appenders = {log: _Appender() for log in Log}


def _start_anew() -> None:
    for log, inherited in _appenders.items():
        inherited.close()
        _appenders[log] = _Appender()


# A lock belongs to the open file: a child that went on with its parent's would share the lock, too.
os.register_at_fork(after_in_child=_start_anew)


def _open(path: Path) -> int:
    path.parent.mkdir(parents=True, exist_ok=True)
    file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, MODE)
    with suppress(PermissionError):  # another user made it, and did this
        os.fchmod(file, MODE)  # whatever the umask of the process is
    return file


def _size_if_same(path: Path, file: int) -> int | None:
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_size if os.path.samestat(found, os.fstat(file)) else None


def _rotate(path: Path) -> None:
    for number in range(KEPT - 1, 0, -1):
        older = path.with_name(f"{path.name}.{number}")
        if older.exists():
            older.replace(path.with_name(f"{path.name}.{number + 1}"))
    path.replace(path.with_name(f"{path.name}.1"))
