"""Certificates of clients under the activity log: one entry stands for a batch of them (docs/design.md §6).

A million entries a week would drown what people do; a Merkle root over the certificates proves each of them as well.
"""

import json
from collections.abc import Iterator, Sequence
from datetime import timedelta
from itertools import groupby, islice
from operator import itemgetter
from typing import TypeVar

from django.db import transaction

from console.activity import log
from console.activity.models import Entry
from console.lib import clock
from console.lib.actor import Actor
from console.lib.subject import Subject
from console.servers.models import Server
from trust import merkle
from trust.actions import Action
from trust.models.certificates import Batch, Certificate
from trust.ranges import Ranges

MOST = 5_000  # certificates in a batch: one short transaction
CHUNK = 500
UNBATCHED_FOR = timedelta(seconds=60)
MOST_NAMED = 10
KIND = "certificate-batch"
NUMBERS = "batch numbers"
"""Where the entry about deleted batches says which, as `trust.ranges` writes them."""
Row = TypeVar("Row")


def close_all(server: Server, *, actor: Actor) -> tuple[int, int]:
    """Put every certificate that this server issued and that has no batch into one; return batches and certificates."""
    batches = certificates = 0
    while closed := close(server, actor=actor):
        batches, certificates = batches + 1, certificates + closed.count
        if closed.count < MOST:
            break
    return batches, certificates


@transaction.atomic
def close(server: Server, *, actor: Actor) -> Batch | None:
    """Close one batch and write its entry; None when no certificate waits.

    The rows are named one by one, never as a range of ids: on PostgreSQL a row with a lower id may be committed later.
    It comes into a later batch. Rows that another worker holds are passed over.
    """
    rows = list(
        Certificate.objects.select_for_update(skip_locked=True, of=("self",))
        .filter(batch__isnull=True, issuer__server=server)
        .order_by("id")
        .values_list("id", "der")[:MOST]
    )
    if not rows:
        return None
    root, count = merkle.root(bytes(der) for _, der in rows)
    batch = Batch.objects.create(server=server, count=count, merkle_root=root, closed_at=clock.now())
    for start in range(0, len(rows), CHUNK):
        part = [pk for pk, _ in rows[start : start + CHUNK]]
        Certificate.objects.filter(pk__in=part).update(batch=batch)
    log.append(Action.BATCH_CLOSED, _subject(batch), actor=actor, details=_details(batch))
    return batch


def findings() -> Iterator[str]:
    """Yield what is wrong with the batches of all servers, for Verify: rows, batches and entries must agree.

    However many there are, a chunk of them is in memory. A batch whose certificates ended long ago may be gone, if an
    entry says that it was deleted (`trust.retention`).
    """
    deleted = _deleted()
    yield from _first(_of_entries(deleted))
    yield from _of_batches()
    yield from _without_batch()


def _deleted() -> Ranges:
    entries = Entry.objects.filter(action=Action.CERTIFICATES_DELETED).values_list("details", flat=True)
    parsed = (Ranges.parse(json.loads(details)[NUMBERS]) for details in entries.iterator(CHUNK))
    return Ranges.joined(pair for ranges in parsed for pair in ranges.pairs)


def _of_entries(deleted: Ranges) -> Iterator[str]:
    entries = Entry.objects.filter(action=Action.BATCH_CLOSED).order_by("seq").values_list("subject_id", "details")
    for chunk in _chunks(entries.iterator(CHUNK)):
        batches = Batch.objects.in_bulk([int(number) for number, _ in chunk])
        for number, details in chunk:
            batch = batches.get(int(number))
            if batch is None:
                if int(number) not in deleted:
                    yield f"Batch {number} of client certificates is in the log, but its row was removed."
            elif int(number) in deleted:
                yield f"{batch} was deleted, says the log, and is there again: its row was not made by the console."
            elif json.loads(details) != _details(batch):
                yield f"{batch} does not say what its entry in the log says: its row was changed."


def _of_batches() -> Iterator[str]:
    for chunk in _chunks(Batch.objects.order_by("id").iterator(CHUNK)):
        named = Entry.objects.filter(
            action=Action.BATCH_CLOSED, subject_kind=KIND, subject_id__in=[str(batch.pk) for batch in chunk]
        )
        in_log = set(named.values_list("subject_id", flat=True))
        whole = intact(chunk)
        for batch in chunk:
            if str(batch.pk) not in in_log:
                yield f"{batch} has no entry in the log: the batch was not made by the console."
            if batch.pk not in whole:
                yield f"{batch}: its certificates are not those that were issued. Some were changed, added or removed."


def intact(some: Sequence[Batch]) -> set[int]:
    """Return the ids of those batches whose certificates are the ones that were issued."""
    ders = Certificate.objects.filter(batch__in=[batch.pk for batch in some]).order_by("batch_id", "id")
    rows = ders.values_list("batch_id", "der").iterator(CHUNK)
    found = {number: merkle.root(bytes(der) for _, der in part) for number, part in groupby(rows, itemgetter(0))}
    nothing = merkle.root(())
    return {batch.pk for batch in some if found.get(batch.pk, nothing) == (batch.merkle_root, batch.count)}


def _first(sentences: Iterator[str]) -> Iterator[str]:
    """Yield the first MOST_NAMED, and how many more there are: one fault may concern every batch."""
    yield from islice(sentences, MOST_NAMED)
    if more := sum(1 for _ in sentences):
        yield f"The same is so for {more:,} more batches of client certificates."


def _chunks(rows: Iterator[Row]) -> Iterator[list[Row]]:
    while chunk := list(islice(rows, CHUNK)):
        yield chunk


def _without_batch() -> Iterator[str]:
    late = Certificate.objects.filter(batch__isnull=True, issued_at__lt=clock.now() - UNBATCHED_FOR).order_by("id")
    if first := late.select_related("client").first():
        yield (
            f"The certificate {first.serial} of {first.client}, and perhaps others, was issued more than "
            f"{UNBATCHED_FOR.seconds} seconds ago and is under no entry of the log. Either the job “Record client "
            "certificates in the activity log” does not run, or the row was not made by the console."
        )


def _subject(batch: Batch) -> Subject:
    return Subject(KIND, str(batch.pk), str(batch))


def _details(batch: Batch) -> dict[str, str | int]:
    return {"certificates": batch.count, "Merkle root": batch.merkle_root}
