"""CSV files (RFC 4180) for download, safe to open in a spreadsheet."""

import csv
import hashlib
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from console.lib.digest import timestamp

# A spreadsheet takes a cell that begins with one of these for a formula (OWASP, "CSV Injection").
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")  # noqa: RUF001 - as typed in East Asia
CHUNK = 2_000  # rows between two reports of progress
MODE = 0o640  # the web process hands the file out; where it is another user, it is in the group of the folder


@dataclass(frozen=True)
class Written:
    """What a file holds."""

    rows: int
    size_bytes: int
    sha256: str


def write(
    columns: Sequence[str], rows: Iterable[Sequence[Any]], path: Path, progress: Callable[[int], None]
) -> Written:
    """Write a head and the rows to a file that appears only when it is whole."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    part.unlink(missing_ok=True)
    number = 0
    with os.fdopen(
        os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, MODE), "w", encoding="utf-8", newline=""
    ) as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        for row in rows:
            writer.writerow([cell(value) for value in row])
            number += 1
            if number % CHUNK == 0:
                progress(number)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)
    with path.open("rb") as done:
        digest = hashlib.file_digest(done, "sha256").hexdigest()
    return Written(number, path.stat().st_size, digest)


def cell(value: Any) -> str:
    """Return a value as text; one that a spreadsheet would take for a formula gets an apostrophe in front."""
    if isinstance(value, int):
        return str(value)
    text = value if isinstance(value, str) else timestamp(value)
    return f"'{text}" if text.startswith(FORMULA_STARTS) else text
