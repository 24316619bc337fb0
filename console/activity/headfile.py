"""The append-only file of signed heads in this server's log folder: proof that does not live in the database.

One JSON line for each signed head. Beside the head, a line carries the hashes of the entries since the line
before it, so that a log whose hashes were all computed anew still shows *which* entry was the first to
change; they prove nothing by themselves. The file is written under a lock, synced, mode 0640.
"""

import fcntl
import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO, Self

from django.conf import settings

from console.lib.digest import canonical_json

NAME = "activity-heads.log"
MODE = 0o640


@dataclass(frozen=True)
class HeadLine:
    """A signed head as the file holds it; `hashes` are of the entries up to and with `seq`, oldest first."""

    seq: int
    hash: str
    server: str
    signed_at: datetime
    public_key: bytes
    signature: bytes
    hashes: tuple[str, ...] = ()

    @classmethod
    def parse(cls, line: bytes) -> Self:
        """Return the head in a line; raises ValueError for anything else."""
        try:
            found = json.loads(line)
            return cls(
                seq=_whole(found["seq"]),
                hash=str(found["hash"]),
                server=str(found["server"]),
                signed_at=datetime.fromisoformat(found["signed_at"]),
                public_key=bytes.fromhex(found["public_key"]),
                signature=bytes.fromhex(found["signature"]),
                hashes=tuple(str(item) for item in found["hashes"]),
            )
        except (KeyError, TypeError, AttributeError, UnicodeDecodeError) as error:
            raise ValueError("not a signed head") from error

    def line(self) -> bytes:
        """Return the line, with its line break."""
        values: dict[str, Any] = {
            "seq": self.seq,
            "hash": self.hash,
            "server": self.server,
            "signed_at": self.signed_at,
            "public_key": self.public_key.hex(),
            "signature": self.signature.hex(),
            "hashes": list(self.hashes),
        }
        return canonical_json(values) + b"\n"


@dataclass(frozen=True)
class DamagedLine:
    """A line that is no signed head; `number` counts from 1."""

    number: int


def path() -> Path:
    """Return where the file is on this server."""
    return Path(settings.LOG_DIR) / NAME


def lines() -> Iterator[HeadLine | DamagedLine]:
    """Yield the file line by line; nothing when there is no file."""
    try:
        file = path().open("rb")
    except FileNotFoundError:
        return
    with file:
        for number, line in enumerate(file, start=1):
            try:
                yield HeadLine.parse(line)
            except ValueError:
                yield DamagedLine(number)


@contextmanager
def locked() -> Iterator["Writer"]:
    """Open the file for one writer at a time, made when it is missing."""
    path().parent.mkdir(parents=True, exist_ok=True)
    with os.fdopen(os.open(path(), os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, MODE), "rb+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield Writer(file)


class Writer:
    """What may be done to the file while its lock is held."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def last_seq(self) -> int:
        """Return the sequence of the last whole line, 0 for an empty file; cuts off a half-written line."""
        end = self._file.seek(0, os.SEEK_END)
        whole = self._last_break(end)
        if whole < end:
            os.ftruncate(self._file.fileno(), whole)
        while whole > 0:
            start = self._last_break(whole - 1)
            self._file.seek(start)
            try:
                return HeadLine.parse(self._file.read(whole - start)).seq
            except ValueError:
                whole = start
        return 0

    def append(self, heads: Sequence[HeadLine]) -> None:
        """Write the lines and wait until they are on the disk."""
        self._file.seek(0, os.SEEK_END)
        self._file.write(b"".join(head.line() for head in heads))
        self._file.flush()
        os.fsync(self._file.fileno())

    def _last_break(self, end: int) -> int:
        """Return the offset after the last line break before `end`, 0 when there is none."""
        step = 64 * 1024
        while end > 0:
            begin = max(0, end - step)
            self._file.seek(begin)
            found = self._file.read(end - begin).rfind(b"\n")
            if found >= 0:
                return begin + found + 1
            end = begin
        return 0


def _whole(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError("a sequence is a whole number")
    return value
