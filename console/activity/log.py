"""Append to the activity log: the last statement of the transaction that does the thing."""

from collections.abc import Mapping
from typing import Any

from django.conf import settings
from django.db import connection, transaction

from console.activity import chain
from console.activity.models import Entry, Head, Outcome
from console.lib import clock
from console.lib.actor import Actor
from console.lib.digest import canonical_json
from console.lib.subject import Subject

NOTHING: Mapping[str, Any] = {}


def append(
    action: str,
    subject: Subject,
    *,
    actor: Actor,
    outcome: str = Outcome.SUCCEEDED,
    details: Mapping[str, Any] = NOTHING,
) -> Entry:
    """Write one entry inside the caller's transaction; raises RuntimeError when there is none.

    `details` must have a canonical form (`console.lib.digest`); a Secret in it is written as `(protected)`.
    The head row stays locked until the caller commits, so call this last.
    """
    if not connection.in_atomic_block:
        raise RuntimeError("An activity entry belongs to the transaction of what it records.")
    head = Head.lock()
    entry = Entry(
        seq=head.seq + 1,
        at=clock.now(),
        server=settings.SERVER_NAME,
        actor_kind=str(actor.kind),
        actor=actor.name,
        actor_id=actor.id,
        planned_by=actor.planned_by,
        action=str(action),
        subject_kind=subject.kind,
        subject_id=subject.id,
        subject_label=subject.label[:255],
        outcome=str(outcome),
        details=canonical_json(dict(details)).decode(),
        previous_hash=head.hash,
    )
    entry.hash = chain.entry_hash(head.hash, entry.fields())
    entry.save(force_insert=True)
    Head.objects.filter(pk=1).update(seq=entry.seq, hash=entry.hash)
    return entry


def refuse(action: str, subject: Subject, *, actor: Actor, details: Mapping[str, Any] = NOTHING) -> Entry:
    """Record a refusal in a transaction of its own: call it outside of the one that was refused."""
    with transaction.atomic(durable=True):
        return append(action, subject, actor=actor, outcome=Outcome.REFUSED, details=details)
