"""The state folder of a local run: where things lie, who may read them, and who holds it now."""

import contextlib
import fcntl
import json
import os
import secrets
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

from console.supervisor.errors import SupervisorError

PROJECT = Path(__file__).resolve().parents[2]
# A killed run needs this long at most to take its last processes down (leftovers.GRACE_S and a scan).
TAKE_OVER_S = 20.0


class State:
    """Paths below the state folder. Every folder is 0700, every file with a secret 0600."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.secrets = root / "secrets"
        self.broker = root / "broker"
        self.softhsm = root / "softhsm"
        self.gateway = root / "gateway"
        self.logs = root / "log"
        self.running = root / "run"
        self.first_password = self.secrets / "first-password"

    @classmethod
    def from_environment(cls) -> Self:
        """Return the folder that KEYSTEAD_STATE_DIR names, else `var/` of the checkout, with its folders made."""
        state = cls(Path(os.environ.get("KEYSTEAD_STATE_DIR") or PROJECT / "var").resolve())
        state.create()
        return state

    def create(self) -> None:
        """Make the folders that are missing, and close all of them to others."""
        for folder in (self.root, self.secrets, self.broker, self.softhsm, self.gateway, self.logs, self.running):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            folder.chmod(0o700)

    def secret_once(self, name: str, make: Callable[[], str] = lambda: secrets.token_urlsafe(48)) -> str:
        """Return the secret of this name, made at the first call and kept in a 0600 file."""
        path = self.secrets / name
        with contextlib.suppress(FileExistsError):
            write_private(path, make() + "\n", exclusive=True)
        return path.read_text(encoding="utf-8").rstrip("\n")

    def recall(self, name: str) -> dict[str, Any]:
        """Return what `remember` wrote under this name; nothing when it is missing or was cut short."""
        try:
            remembered = json.loads((self.running / f"{name}.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return remembered if isinstance(remembered, dict) else {}

    def remember(self, name: str, values: dict[str, Any]) -> None:
        """Keep a few facts for the next start."""
        write_private(self.running / f"{name}.json", json.dumps(values, indent=1) + "\n")

    def take(self) -> int:
        """Become the one supervisor of this folder; return the descriptor that holds it.

        It is inherited by the guard, so the folder is free again only when nothing of the former run is left.
        Raises SupervisorError when a console runs here already.
        """
        descriptor = os.open(self.running / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        until = time.monotonic() + TAKE_OVER_S
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                self._refuse_or_wait(until)
            else:
                return descriptor

    def _refuse_or_wait(self, until: float) -> None:
        last = self.recall("last")
        pid = last.get("pid")
        if time.monotonic() > until or (isinstance(pid, int) and Path(f"/proc/{pid}").exists()):
            raise SupervisorError(
                f"Keystead runs here already: {last.get('address', 'its address is not known')} "
                f"(process {pid}, state in {self.root}). Nothing was started."
            )
        time.sleep(0.1)


def write_private(path: Path, text: str, *, exclusive: bool = False) -> None:
    """Write a file that only its owner can read, whole or not at all.

    With `exclusive` raises FileExistsError instead of replacing what is there.
    """
    write_private_bytes(path, text.encode(), exclusive=exclusive)


def write_private_bytes(path: Path, content: bytes, *, exclusive: bool = False) -> None:
    """Do the same for bytes."""
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())
    try:
        if exclusive:
            os.link(partial, path)
        else:
            partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
