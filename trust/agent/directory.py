"""The directory of a client: `state.json`, `settings.json`, `keys/`, `Logs/`, and a lock for who works in it."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from trust.agent import files
from trust.agent.errors import SetupError
from trust.agent.keys import Keys
from trust.agent.settings import Settings
from trust.agent.state import State


class Directory:
    """Reads and writes; decides nothing."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.folder = folder
        self.logs = folder / "Logs"
        self.keys = Keys(folder / "keys")
        self.settings = Settings(folder)
        self._path = folder / "state.json"
        self._saved = b""

    @property
    def is_new(self) -> bool:
        """Tell whether no client has begun here."""
        return not self._path.exists()

    def load(self) -> State:
        """Return the state; raises SetupError if there is none or it is damaged."""
        try:
            self._saved = self._path.read_bytes()
            return msgspec.json.decode(self._saved, type=State)
        except FileNotFoundError as error:
            raise SetupError("No client has begun in this directory.", code="no-state") from error
        except (OSError, msgspec.DecodeError, msgspec.ValidationError) as error:
            # Without its text: that could quote the credential.
            raise SetupError("The state of this client cannot be read.", code="bad-state") from error

    def save(self, state: State) -> None:
        """Put the state on the disk if it changed; it is there when this returns."""
        raw = msgspec.json.encode(state)
        if raw != self._saved:
            files.write(self._path, raw)
            self._saved = raw

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Be the only process that works here; raises SetupError if another one does."""
        with (self.folder / ".lock").open("a") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise SetupError("Another process works in this directory.", code="locked") from error
            yield
