"""The client's settings: `settings.json`, by name. The server's have the prefix `Server_`; a local one wins.

The agent writes only names with the prefix, an administrator of the machine only names without.
"""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from trust.agent import files
from trust.agent.errors import SetupError
from trust.agent.state import Layers

PREFIX = "Server_"
NO_SETTINGS = (UnicodeDecodeError, msgspec.DecodeError, msgspec.ValidationError, RecursionError)
Value = int | str

# What a client does whose server and administrator say nothing. Rows TLS-21, TLS-22, TLS-30 to TLS-32, ROT-20.
DEFAULTS: dict[str, int] = {
    "TLSMode": 1,
    "ReportingTLSMode": 0,
    "OptionalTLSMinAttemptCount": 3,
    "OptionalTLSBackoffIntervalSeconds": 1,
    "OptionalTLSMaxBackoffSeconds": 3600,
    "PKIClientTLSKeyRenewalWindowHours": 4,
}
LOWEST = {"OptionalTLSMinAttemptCount": 1, "OptionalTLSBackoffIntervalSeconds": 1, "OptionalTLSMaxBackoffSeconds": 1}
HIGHEST = {
    "TLSMode": 1,
    "ReportingTLSMode": 2,
    "OptionalTLSMinAttemptCount": 100,
    "OptionalTLSBackoffIntervalSeconds": 86_400,
    "OptionalTLSMaxBackoffSeconds": 86_400,
    "PKIClientTLSKeyRenewalWindowHours": 876_000,
}


class Settings:
    """Read anew when the file changes: what `--set` writes counts from the next step on."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "settings.json"
        self._lock = folder / ".settings.lock"
        self._read: tuple[tuple[int, int], dict[str, Value]] = ((0, 0), {})

    def number(self, name: str) -> int:
        """Return a setting that is a number: the local one, else the server's, else the default.

        A value that is no number, or out of its range, counts as absent.
        """
        found = self.all()
        for value in (found.get(name), found.get(PREFIX + name)):
            if isinstance(value, int) and LOWEST.get(name, 0) <= value <= HIGHEST[name]:
                return value
        return DEFAULTS[name]

    def text(self, name: str) -> str:
        """Return a setting that is a text, empty if there is none."""
        found = self.all()
        return str(found.get(name, found.get(PREFIX + name, "")))

    def all(self) -> dict[str, Value]:
        """Return everything that is set. A file that cannot be read counts as empty."""
        try:
            about = self._path.stat()
        except OSError:
            return {}
        stamp = (about.st_mtime_ns, about.st_ino)
        if self._read[0] != stamp:
            try:
                self._read = (stamp, self._load())
            except (OSError, *NO_SETTINGS):
                self._read = (stamp, {})
        return self._read[1]

    def set_local(self, name: str, value: Value | None) -> None:
        """Set a local setting, or with None delete it. Raises SetupError for a name with the server's prefix."""
        if name.startswith(PREFIX) or not name:
            raise SetupError(f"A local setting has a name without {PREFIX}. Nothing was set.", code="bad-setting")
        with self._changing() as found:
            found.pop(name, None)
            if value is not None:
                found[name] = value

    def take(self, layers: Layers) -> None:
        """Put the server's settings in the place of its former ones."""
        theirs = {PREFIX + name: value for name, value in (layers.preset | layers.general | layers.own).items()}
        if theirs == {name: value for name, value in self.all().items() if name.startswith(PREFIX)}:
            return
        with self._changing() as found:
            for name in [name for name in found if name.startswith(PREFIX)]:
                del found[name]
            found.update(theirs)

    @contextmanager
    def _changing(self) -> Iterator[dict[str, Value]]:
        with self._lock.open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            found = self._load_or_put_aside()
            yield found
            files.write(self._path, msgspec.json.format(msgspec.json.encode(found, order="sorted")) + b"\n")

    def _load_or_put_aside(self) -> dict[str, Value]:
        """Return what is set; a file with a slip of the pen is kept beside its place, for whoever wrote it."""
        try:
            return self._load()
        except FileNotFoundError:
            return {}
        except NO_SETTINGS:
            self._path.replace(self._path.with_name(f"{self._path.name}.damaged"))
            return {}

    def _load(self) -> dict[str, Value]:
        return msgspec.json.decode(self._path.read_bytes(), type=dict[str, Value])


def parse(text: str) -> tuple[str, Value]:
    """Return name and value of `NAME=VALUE`; raises SetupError."""
    name, equals, value = text.partition("=")
    if not equals:
        raise SetupError("A setting is given as NAME=VALUE. Nothing was set.", code="bad-setting")
    return name, int(value) if value.removeprefix("-").isascii() and value.removeprefix("-").isdigit() else value
