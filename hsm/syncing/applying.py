"""Bring a plan into the tables: all of it or nothing, while everybody else goes on writing.

SQLite has one writer at a time, and 10,000 rows take it 1 to 4 seconds: too long for one transaction that keeps every
sign-in and every job waiting. So new rows are written ahead in batches, in a state that nobody sees (`INCOMING`), and
one last short transaction (0.2 s for 10,000) writes what the HSM says of known keys, makes the new ones visible and
closes with the entry. Whatever ends before that has changed nothing; what it wrote ahead is taken away, by the next
sync at the latest.
"""

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from itertools import islice
from typing import TypeVar

from django.db import transaction
from django.db.models import Q, QuerySet

from hsm.models.groups import Group
from hsm.models.objects import ObjectState, SecurityObject, Tombstone
from hsm.syncing import rows
from hsm.syncing.inserting import insert
from hsm.syncing.plan import Plan

BATCH = 500
Progress = Callable[[int, int], None]
Item = TypeVar("Item")


def stage(group: Group, plan: Plan, *, now: datetime, progress: Progress) -> None:
    """Write the new virtual keys ahead; call `settle` then, or `discard`."""
    discard(group)
    done = 0
    progress(done, len(plan.added))
    for batch in _batches(rows.additions(group, plan, now)):
        with transaction.atomic():
            insert(batch)
        done += len(batch)
        progress(done, len(plan.added))


def discard(group: Group) -> None:
    """Take away what a sync of this group wrote ahead and did not settle."""
    while ahead := list(_ahead(group).values_list("pk", flat=True)[:BATCH]):
        with transaction.atomic():
            SecurityObject.every.filter(pk__in=ahead).delete()


def settle(group: Group, plan: Plan, *, earlier: rows.Before, now: datetime) -> int:
    """Make the plan true, in the caller's transaction; return how many keys were left to the next sync.

    A key on which somebody began to work since the plan was made is left as it is.
    """
    untouched = Q(state=ObjectState.ACTIVE) & (Q(hsm_seen_at__isnull=True) | Q(hsm_seen_at__lt=earlier.at))
    written = _write_down(plan, untouched, now)
    missing = sum(
        SecurityObject.objects.filter(untouched, pk__in=[key.pk for key in batch]).update(missing_since=now)
        for batch in _batches(plan.missing)
    )
    _ahead(group).update(state=ObjectState.ACTIVE)
    Tombstone.objects.filter(pk__in=[one.tombstone.pk for one in plan.added if one.tombstone]).delete()
    return len(plan.updates) - written + len(plan.missing) - missing


def _write_down(plan: Plan, untouched: Q, now: datetime) -> int:
    # Two keys may have swapped their CKA_IDs, and each is unique in its group: step aside first.
    for update in plan.moved:
        SecurityObject.objects.filter(untouched, pk=update.key.pk).update(key_id=f"moving {update.key.pk.hex}")
    written = 0
    for batch in _batches(plan.updates):
        updates = {update.key.pk: update for update in batch}
        # Locked, so that no row can be deleted between this line and the next one, which would bring it back.
        found = SecurityObject.objects.select_for_update().filter(untouched, pk__in=updates)
        changed = [rows.write_down(row, updates[row.pk], now) for row in found]
        # Five times as fast as bulk_update, which compares every row with every primary key of its batch.
        SecurityObject.every.bulk_create(
            changed, update_conflicts=True, unique_fields=["id"], update_fields=list(rows.WRITTEN)
        )
        written += len(changed)
    return written


def _ahead(group: Group) -> QuerySet[SecurityObject]:
    return SecurityObject.every.filter(group=group, state=ObjectState.INCOMING)


def _batches(items: Iterable[Item]) -> Iterator[list[Item]]:
    rest = iter(items)
    while batch := list(islice(rest, BATCH)):
        yield batch
