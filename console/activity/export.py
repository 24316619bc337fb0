"""The activity log as a CSV file, and the files that export jobs leave."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db.models import QuerySet

from console.activity import chain
from console.activity.models import Entry
from console.lib import csvfile

COLUMNS = (*chain.FIELDS, "previous_hash", "hash")
NAME = re.compile(r"[a-z]+-(?P<job>[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\.(?:csv|zip|part)")


def path_of(job_id: UUID) -> Path:
    """Return where the file of an export job lies."""
    return Path(settings.EXPORT_DIR) / f"activity-{job_id}.csv"


def write(entries: QuerySet[Entry], path: Path, progress: Callable[[int], None]) -> csvfile.Written:
    """Write the entries, oldest first."""
    return csvfile.write(COLUMNS, _rows(entries), path, progress)


def files() -> dict[UUID, Path]:
    """Return every file that a job has left for download, by the job's id."""
    found = {}
    for path in Path(settings.EXPORT_DIR).glob("*-*.*"):
        if name := NAME.fullmatch(path.name):
            found[UUID(name["job"])] = path
    return found


def _rows(entries: QuerySet[Entry]) -> Iterator[tuple[Any, ...]]:
    last = 0
    while part := list(entries.filter(seq__gt=last).order_by("seq").values_list(*COLUMNS)[: csvfile.CHUNK]):
        yield from part
        last = part[-1][0]
