"""What is remembered on the disk of PINs that were tried: one small file for each token, and never a PIN.

The file is there while a try counts. It is on the disk before the token sees the PIN, so that neither a crash nor a
restart gives another try.
"""

import fcntl
import hashlib
import os
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from hsm.device.gatewaywire import UNVERIFIED_PIN_PAUSE_S
from hsm.gateway.config import ConfigError
from hsm.gateway.faults import not_recorded, unverified_wait

LOCK = "lock"


class Ledger:
    """The folder of these files; one process at a time, its threads one at a time for each token (`pins`)."""

    def __init__(self, folder: Path, clock: Callable[[], float] = time.time) -> None:
        self._folder = folder
        self._clock = clock
        self._lock = -1

    def open(self) -> None:
        """Take the folder for this process and its children. Raises ConfigError."""
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._lock = os.open(self._folder / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise ConfigError(
                f"HMG_STATE_DIR: {self._folder} cannot be made or written to: {error.strerror}."
            ) from error
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise ConfigError(
                f"HMG_STATE_DIR: another gateway uses {self._folder}. Each gateway needs a folder of its own."
            ) from error

    def claim(self, label: str, serial: str) -> None:
        """Write down that a PIN is tried now. Raises GatewayError: too early, or it cannot be written."""
        self.refuse_early(label, serial)
        path = self._path(label, serial)
        note = f"A PIN was tried at token {label!r} ({serial}). Remove this file to allow another try at once.\n"
        try:
            self._write(path, note.encode("utf-8", "replace"))
        except OSError as error:
            raise not_recorded() from error

    def refuse_early(self, label: str, serial: str) -> None:
        """Raise GatewayError while a former try counts."""
        wait_s = self.wait_s(label, serial)
        if wait_s > 0:
            raise unverified_wait(wait_s)

    def wait_s(self, label: str, serial: str) -> int:
        """Return the seconds until another try is allowed; 0 for now."""
        try:
            claimed_at = self._path(label, serial).stat().st_mtime
        except FileNotFoundError:
            return 0
        except OSError as error:
            raise not_recorded() from error
        left_s = claimed_at + UNVERIFIED_PIN_PAUSE_S - self._clock()
        # A clock that was set back must not make it longer.
        return max(0, min(UNVERIFIED_PIN_PAUSE_S, int(left_s + 0.999)))

    def give_back(self, label: str, serial: str) -> None:
        """Forget the try: the PIN was right, or the token never saw it."""
        with suppress(OSError):  # at worst the next try has to wait
            self._path(label, serial).unlink(missing_ok=True)
            self._sync_folder()

    def _write(self, path: Path, note: bytes) -> None:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        try:
            os.write(descriptor, note)
            now = self._clock()
            os.utime(descriptor, (now, now))
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        self._sync_folder()

    def _sync_folder(self) -> None:
        descriptor = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def _path(self, label: str, serial: str) -> Path:
        name = hashlib.sha256(f"{serial}\0{label}".encode("utf-8", "surrogatepass")).hexdigest()[:32]
        return self._folder / f"tried-{name}"
