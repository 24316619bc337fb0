"""The activity log as rows of a CSV file."""

from collections.abc import Iterator
from typing import Any

from django.db.models import QuerySet

from console.activity import chain
from console.activity.models import Entry
from console.lib import csvfile

COLUMNS = (*chain.FIELDS, "previous_hash", "hash")


def rows(entries: QuerySet[Entry]) -> Iterator[tuple[Any, ...]]:
    """Yield the columns of the entries, oldest first."""
    last = 0
    while part := list(entries.filter(seq__gt=last).order_by("seq").values_list(*COLUMNS)[: csvfile.CHUNK]):
        yield from part
        last = part[-1][0]
