"""Read the PKI log from its end, a part at a time: a file of megabytes is never held whole."""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from console.lib.errors import NotFoundError
from console.pkilog.line import Level, Line, parse
from console.pkilog.writer import Log, folder

NAME = re.compile(r"pki(?:-tls)?\.log(?:\.[1-9])?\Z")
BLOCK = 64 * 1024
MOST_BYTES = 16 * 1024 * 1024  # looked through for one page


@dataclass(frozen=True)
class LogFile:
    """A file of the log; `size` in bytes."""

    name: str
    size: int


@dataclass(frozen=True)
class Wanted:
    """A filter: `text` is looked for in every part, without regard to case."""

    level: str = ""
    text: str = ""

    def holds(self, raw: str, line: Line | None) -> bool:
        """Tell whether a line is shown."""
        if self.level and (line is None or line.level != self.level):
            return False
        return self.text.lower() in (raw if line is None else f"{raw} {line.subject} {line.result}").lower()


@dataclass(frozen=True)
class Shown:
    """A line as the page shows it: its parts, or its text when this console did not write it."""

    raw: str
    line: Line | None

    @property
    def mark(self) -> str:
        """The kind of state that stands beside it."""
        marks = {Level.INFO: "", Level.WARNING: "warn", Level.ERROR: "bad"}
        return marks[self.line.level] if self.line else "warn"


@dataclass(frozen=True)
class Part:
    """Lines, newest first; `before` is the offset from which older ones go on, 0 when there are none."""

    lines: list[Shown]
    before: int


def files() -> list[LogFile]:
    """Return the files that exist on this server, each log with its newest first."""
    try:
        found = [
            entry for entry in os.scandir(folder()) if NAME.match(entry.name) and entry.is_file(follow_symlinks=False)
        ]
    except FileNotFoundError:
        return []
    return [LogFile(entry.name, entry.stat().st_size) for entry in sorted(found, key=lambda entry: entry.name)]


def path_of(name: str) -> Path:
    """Return the path of a log file; raises NotFoundError for any other name."""
    if not NAME.match(name) or not (path := folder() / name).is_file() or path.is_symlink():
        raise NotFoundError(f"There is no log file {Log.PKI if not NAME.match(name) else name} on this server.")
    return path


def part(path: Path, wanted: Wanted, *, before: int = 0, size: int = 100) -> Part:
    """Return up to `size` lines that end before the offset (0: the end of the file)."""
    lines: list[Shown] = []
    looked = 0
    end = min(before, path.stat().st_size) if before else path.stat().st_size
    for start, raw in _backwards(path, end):
        line = parse(raw)
        if wanted.holds(raw, line):
            lines.append(Shown(raw, line))
        looked = end - start
        if len(lines) >= size or looked >= MOST_BYTES:
            return Part(lines, start)
    return Part(lines, 0)


def _backwards(path: Path, end: int) -> Iterator[tuple[int, str]]:
    """Yield (offset, text) of each line that ends at or before `end`, last first."""
    with path.open("rb") as file:
        rest = b""
        while end > 0:
            begin = max(0, end - BLOCK)
            file.seek(begin)
            pieces = (file.read(end - begin) + rest).split(b"\n")
            rest = pieces.pop(0) if begin > 0 else b""
            offset = begin + (len(rest) + 1 if begin > 0 else 0)
            offsets = []
            for piece in pieces:
                offsets.append(offset)
                offset += len(piece) + 1
            for start, piece in zip(reversed(offsets), reversed(pieces), strict=True):
                if piece:
                    yield start, piece.decode("utf-8", "replace")
            end = begin
