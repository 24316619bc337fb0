"""STK-06: pages by key show every row once, in order, forwards and backwards."""

from datetime import UTC, datetime, timedelta
from itertools import chain
from typing import Any

import pytest
from django.core import signing
from django.core.exceptions import FieldDoesNotExist
from django.db import connection, transaction
from django.db.models import QuerySet
from django.test.utils import CaptureQueriesContext
from hypothesis import given, settings
from hypothesis import strategies as st

from console.jobs.models import Job, State
from console.lib import keyset
from console.lib.errors import InvalidError
from console.servers.models import Server

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
SORTS = ("created_at", "-created_at", "kind_name", "-kind_name", "id", "-id", "attempts", "-attempts")

rows = st.lists(st.tuples(st.integers(0, 3), st.sampled_from(["a", "B", "ä", "z z"]), st.integers(0, 2)), max_size=14)


@pytest.fixture
def server(db: None) -> Server:
    return Server.objects.create(fqdn="ts1.example", sealing_public="00", created_at=NOON)


def make(server: Server, minutes: int, kind_name: str, attempts: int) -> Job:
    return Job(
        kind_name=kind_name,
        server=server,
        subject_kind="server",
        subject_id="1",
        subject_label="x",
        actor_kind="user",
        actor_name="ann",
        state=State.SUCCEEDED,
        attempts=attempts,
        due_at=NOON,
        created_at=NOON + timedelta(minutes=minutes),
    )


def expected(queryset: QuerySet[Job], sort: str) -> list[Any]:
    sign = "-" if sort.startswith("-") else ""
    return [job.pk for job in queryset.order_by(sort, f"{sign}pk")]


def walk(queryset: QuerySet[Job], sort: str, size: int, cursor: str, way: str) -> list[list[Any]]:
    pages = []
    while True:
        found = keyset.page(queryset, sort=sort, cursor=cursor, size=size)
        pages.append([job.pk for job in found.rows])
        cursor = getattr(found, way)
        if not cursor:
            return pages


@settings(max_examples=60, deadline=None)
@given(values=rows, sort=st.sampled_from(SORTS), size=st.integers(1, 5))
def both_ways(server: Server, values: list[tuple[int, str, int]], sort: str, size: int) -> None:
    jobs = Job.objects.all()
    with transaction.atomic():
        Job.objects.bulk_create([make(server, *value) for value in values])
        every = expected(jobs, sort)
        pages = walk(jobs, sort, size, "", "next")
        assert list(chain.from_iterable(pages)) == every
        assert all(len(page) == size for page in pages[:-1])
        if len(every) > size:
            last = keyset.page(jobs, sort=sort, cursor=cursor_to_last(sort, size, len(pages)), size=size)
            back = [[job.pk for job in last.rows], *walk(jobs, sort, size, last.prev, "prev")]
            assert list(chain.from_iterable(reversed(back))) == every
        transaction.set_rollback(True)


def cursor_to_last(sort: str, size: int, pages: int) -> str:
    cursor = ""
    for _ in range(pages - 1):
        cursor = keyset.page(Job.objects.all(), sort=sort, cursor=cursor, size=size).next
    return cursor


@settings(max_examples=40, deadline=None)
@given(
    values=rows, sort=st.sampled_from(["created_at", "-created_at", "attempts", "-attempts"]), size=st.integers(1, 5)
)
def merged_as_one(server: Server, values: list[tuple[int, str, int]], sort: str, size: int) -> None:
    jobs = Job.objects.all()
    parts = [jobs.filter(kind_name=name) for name in ("a", "B", "ä", "z z", "none such")]
    with transaction.atomic():
        Job.objects.bulk_create([make(server, *value) for value in values])
        cursors, found = [""], list[Any]()
        while True:
            page = keyset.merged(parts, jobs, sort=sort, cursor=cursors[-1], size=size)
            found += [job.pk for job in page.rows]
            if not page.next:
                break
            cursors.append(page.next)
        assert found == expected(jobs, sort)
        back = page.rows
        while page.prev:
            page = keyset.merged(parts, jobs, sort=sort, cursor=page.prev, size=size)
            back = [*page.rows, *back]
        assert [job.pk for job in back] == found
        transaction.set_rollback(True)


def test_parts_are_merged_as_if_they_were_one(server: Server) -> None:
    merged_as_one(server)
    assert keyset.merged([], Job.objects.all(), sort="created_at").rows == []


def test_every_row_once_forwards_and_backwards(server: Server) -> None:
    both_ways(server)


def test_a_row_that_is_new_or_gone_moves_no_other_row(server: Server) -> None:
    jobs = Job.objects.bulk_create([make(server, minutes, "a", 0) for minutes in range(6)])
    first = keyset.page(Job.objects.all(), sort="-created_at", size=2)
    Job.objects.bulk_create([make(server, 60, "a", 0)])
    jobs[3].delete()
    second = keyset.page(Job.objects.all(), sort="-created_at", cursor=first.next, size=2)
    assert [job.pk for job in second.rows] == [jobs[2].pk, jobs[1].pk]


def test_no_count_and_no_offset(server: Server) -> None:
    Job.objects.bulk_create([make(server, minutes, "a", 0) for minutes in range(5)])
    with CaptureQueriesContext(connection) as queries:
        found = keyset.page(Job.objects.all(), sort="-created_at", size=2)
        keyset.page(Job.objects.all(), sort="-created_at", cursor=found.next, size=2)
    text = " ".join(query["sql"] for query in queries).upper()
    assert len(queries) == 2
    assert "COUNT(" not in text
    assert "OFFSET" not in text


def test_a_changed_cursor_is_refused(server: Server) -> None:
    Job.objects.bulk_create([make(server, minutes, "a", 0) for minutes in range(3)])
    cursor = keyset.page(Job.objects.all(), sort="-created_at", size=1).next
    foreign = signing.dumps([0, "2026-01-01", "1"], salt="console.lib.keyset servers.server -created_at")
    nonsense = signing.dumps([0, "no date", "no uuid"], salt="console.lib.keyset jobs.job -created_at")
    for bad in (cursor[:-1] + ("A" if cursor[-1] != "A" else "B"), "x", "' OR 1=1 --", foreign, nonsense):
        with pytest.raises(InvalidError, match="cannot be found"):
            keyset.page(Job.objects.all(), sort="-created_at", cursor=bad, size=1)
    with pytest.raises(InvalidError):
        keyset.page(Job.objects.all(), sort="created_at", cursor=cursor, size=1)


def test_a_column_that_may_be_empty_is_no_sort(server: Server) -> None:
    with pytest.raises(FieldDoesNotExist):
        keyset.page(Job.objects.all(), sort="-finished_at")


@pytest.mark.parametrize(("requested", "sort"), [("name", "name"), ("password", "-at"), (None, "-at"), ("", "-at")])
def test_only_allowed_sorts(requested: str | None, sort: str) -> None:
    assert keyset.chosen(requested, ("name", "-at"), "-at") == sort
