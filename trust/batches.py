"""Certificates of clients under the activity log: one entry stands for a batch of them (docs/design.md §6).

A million entries a week would drown what people do; a Merkle root over the certificates proves each of them as well.
"""

import json
from collections.abc import Iterator
from datetime import timedelta

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

MOST = 5_000  # certificates in a batch: one short transaction
CHUNK = 500
UNBATCHED_FOR = timedelta(seconds=60)


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
    """Yield what is wrong with the batches of all servers, for Verify: rows, batches and entries must agree."""
    entries = dict(Entry.objects.filter(action=Action.BATCH_CLOSED).values_list("subject_id", "details"))
    for batch in Batch.objects.order_by("id").iterator():
        yield from _of_batch(batch, entries.pop(str(batch.pk), None))
    for gone in list(entries)[:10]:
        yield f"Batch {gone} of client certificates is in the log, but its row was removed."
    yield from _without_batch()


def _of_batch(batch: Batch, details: str | None) -> Iterator[str]:
    if details is None:
        yield f"{batch} has no entry in the log: the batch was not made by the console."
    elif json.loads(details) != _details(batch):
        yield f"{batch} does not say what its entry in the log says: its row was changed."
    ders = Certificate.objects.filter(batch=batch).order_by("id").values_list("der", flat=True)
    if merkle.root(bytes(der) for der in ders.iterator()) != (batch.merkle_root, batch.count):
        yield f"{batch}: its certificates are not those that were issued. Some were changed, added or removed."


def _without_batch() -> Iterator[str]:
    late = Certificate.objects.filter(batch__isnull=True, issued_at__lt=clock.now() - UNBATCHED_FOR).order_by("id")
    if first := late.select_related("client").first():
        yield (
            f"The certificate {first.serial} of {first.client}, and perhaps others, was issued more than "
            f"{UNBATCHED_FOR.seconds} seconds ago and is under no entry of the log. Either the job “Record client "
            "certificates in the activity log” does not run, or the row was not made by the console."
        )


def _subject(batch: Batch) -> Subject:
    return Subject("certificate-batch", str(batch.pk), str(batch))


def _details(batch: Batch) -> dict[str, str | int]:
    return {"certificates": batch.count, "Merkle root": batch.merkle_root}
