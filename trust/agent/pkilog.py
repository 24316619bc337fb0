"""The client's own PKI log: `Logs/pki.log` and `Logs/pki-tls.log` below its directory (HSI-44), rotated by size.

    2026-11-21T22:40:00.000000Z INFO agent enrolled subject="client-17.example" result="ok"

Printable ASCII, one line for each event, in the form of the server's PKI log: subject and result are JSON strings, so
nothing that came over the wire can look like another line.
"""

import json
import os
import re
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path

ROTATE_BYTES = 1024 * 1024
KEPT = 4
LONGEST = 500
MODE = 0o640
NOT_A_WORD = re.compile(r"[^A-Za-z0-9._:-]+")


class Level(StrEnum):
    """How much it matters."""

    INFO = "INFO"
    WARNING = "WARNING"
    ERROR = "ERROR"


class File(StrEnum):
    """Keys and trust stand in the one, connections in the other."""

    PKI = "pki.log"
    TLS = "pki-tls.log"


class PkiLog:
    """Appends lines. Files are opened for each line: a thousand clients in one process hold none open."""

    def __init__(self, folder: Path, clock: Callable[[], datetime]) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._clock = clock

    def key(self, event: str, subject: str, result: str = "ok", level: Level = Level.INFO) -> None:
        """Write into pki.log."""
        self._write(File.PKI, event, subject, result, level)

    def tls(self, event: str, subject: str, result: str = "ok", level: Level = Level.INFO) -> None:
        """Write into pki-tls.log."""
        self._write(File.TLS, event, subject, result, level)

    def _write(self, name: File, event: str, subject: str, result: str, level: Level) -> None:
        line = f"{_timestamp(self._clock())} {level} agent {_word(event)} subject={_quoted(subject)}"
        path = self._folder / name
        try:
            _rotate(path)
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, MODE)
            try:
                os.write(descriptor, f"{line} result={_quoted(result)}\n".encode("ascii"))
            finally:
                os.close(descriptor)
        except OSError as error:
            # A full disk must not keep a client from renewing its key.
            sys.stderr.write(f"The PKI log cannot be written: {error.strerror}\n")


def _rotate(path: Path) -> None:
    if not path.exists() or path.stat().st_size < ROTATE_BYTES:
        return
    for number in range(KEPT, 1, -1):
        older = path.with_name(f"{path.name}.{number - 1}")
        if older.exists():
            older.replace(path.with_name(f"{path.name}.{number}"))
    path.replace(path.with_name(f"{path.name}.1"))


def _timestamp(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _word(text: str) -> str:
    return NOT_A_WORD.sub("-", text)[:80] or "-"


def _quoted(text: str) -> str:
    return json.dumps(text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…")
