"""The activity log as CSV (RFC 4180), safe to open in a spreadsheet."""

import csv
import hashlib
import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db.models import QuerySet

from console.activity import chain
from console.activity.models import Entry
from console.lib.digest import timestamp

COLUMNS = (*chain.FIELDS, "previous_hash", "hash")
# A spreadsheet takes a cell that begins with one of these for a formula (OWASP, "CSV Injection").
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")  # noqa: RUF001 - as typed in East Asia
CHUNK = 2_000
NAME = re.compile(r"[a-z]+-(?P<job>[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\.(?:csv|zip|part)")
MODE = 0o640  # the web process hands the file out; where it is another user, it is in the group of the folder


@dataclass(frozen=True)
class Written:
    """What an export holds."""

    rows: int
    size_bytes: int
    sha256: str


def path_of(job_id: UUID) -> Path:
    """Return where the file of an export job lies."""
    return Path(settings.EXPORT_DIR) / f"activity-{job_id}.csv"


def write(entries: QuerySet[Entry], path: Path, progress: Callable[[int], None]) -> Written:
    """Write the entries, oldest first, to a file that appears only when it is whole."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    part.unlink(missing_ok=True)
    rows = 0
    with os.fdopen(
        os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, MODE), "w", encoding="utf-8", newline=""
    ) as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        for row in _rows(entries):
            writer.writerow([cell(value) for value in row])
            rows += 1
            if rows % CHUNK == 0:
                progress(rows)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)
    with path.open("rb") as done:
        digest = hashlib.file_digest(done, "sha256").hexdigest()
    return Written(rows, path.stat().st_size, digest)


def cell(value: Any) -> str:
    """Return a value as text; one that a spreadsheet would take for a formula gets an apostrophe in front."""
    if isinstance(value, int):
        return str(value)
    text = value if isinstance(value, str) else timestamp(value)
    return f"'{text}" if text.startswith(FORMULA_STARTS) else text


def files() -> dict[UUID, Path]:
    """Return every file that a job has left for download, by the job's id."""
    found = {}
    for path in Path(settings.EXPORT_DIR).glob("*-*.*"):
        if name := NAME.fullmatch(path.name):
            found[UUID(name["job"])] = path
    return found


def _rows(entries: QuerySet[Entry]) -> Iterator[tuple[Any, ...]]:
    last = 0
    while part := list(entries.filter(seq__gt=last).order_by("seq").values_list(*COLUMNS)[:CHUNK]):
        yield from part
        last = part[-1][0]
