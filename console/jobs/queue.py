"""Put work into the queue of a server, and change what waits there."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import QuerySet

from console.activity import log
from console.jobs.actions import Action
from console.jobs.kinds import JobKind
from console.jobs.models import FINISHED, OPEN, WAITING, Job, State
from console.jobs.sending import send_after_commit
from console.lib import clock
from console.lib.actor import Actor
from console.lib.digest import timestamp
from console.lib.errors import ConflictError, RefusedError
from console.lib.subject import Subject
from console.servers.current import current
from console.servers.models import Server


def enqueue(
    kind: JobKind,
    *,
    subject: Subject,
    actor: Actor,
    due_at: datetime | None = None,
    params: Mapping[str, Any] | None = None,
    server: Server | None = None,
) -> Job:
    """Write the job's row in the caller's transaction; its id goes to the broker after the commit.

    With `due_at` it waits, scheduled, until that time. `params` are JSON and hold no secret.
    """
    now = clock.now()
    job = Job.objects.create(
        kind_name=kind.name,
        server=server or current(),
        subject_kind=subject.kind,
        subject_id=subject.id,
        subject_label=subject.label[:255],
        actor_kind=str(actor.kind),
        actor_name=actor.name or actor.planned_by,
        actor_id=actor.id,
        params=dict(params or {}),
        state=State.SCHEDULED if due_at else State.QUEUED,
        planned=due_at is not None,
        due_at=due_at or now,
        created_at=now,
    )
    if due_at is None:
        send_after_commit(job)
    return job


def take_turn() -> None:
    """Wait until nobody else is between asking what is under way and beginning it; to be called in a transaction."""
    # One row of the deployment stands for the turn. What else refers to a server does not wait for it.
    Server.objects.select_for_update(no_key=True).order_by("pk").first()


@transaction.atomic
def enqueue_once(
    kind: JobKind,
    *,
    among: QuerySet[Job],
    subject: Subject,
    actor: Actor,
    params: Mapping[str, Any] | None = None,
) -> Job:
    """Return the open one `among` jobs, else queue a new one on this server; of two that ask at once, one makes it."""
    take_turn()
    return among.filter(state__in=OPEN).first() or enqueue(kind, subject=subject, actor=actor, params=params)


@transaction.atomic
def cancel(job: Job, *, actor: Actor) -> None:
    """End a job that has not begun; raises RefusedError or ConflictError."""
    if not job.kind.cancellable or job.every_s:
        raise RefusedError(f"“{job.kind.label}” cannot be cancelled: half of it would be left undone.")
    _change(job, from_states=WAITING, state=State.CANCELLED, finished_at=clock.now(), message="Cancelled.")
    if job.kind.on_cancel:
        job.kind.on_cancel(job, actor)
    log.append(Action.CANCELLED, job.as_subject, actor=actor)


@transaction.atomic
def reschedule(job: Job, due_at: datetime, *, actor: Actor) -> None:
    """Move a planned job to another time; raises RefusedError or ConflictError."""
    if not job.kind.reschedulable:
        raise RefusedError(f"“{job.kind.label}” has no date that can be moved.")
    if due_at <= clock.now():
        raise RefusedError("That time has passed. Choose a later one, or run the job now. Nothing was changed.")
    before = job.due_at
    _change(job, from_states=(State.SCHEDULED,), due_at=due_at)
    details = {"from": timestamp(before), "to": timestamp(due_at)}
    log.append(Action.RESCHEDULED, job.as_subject, actor=actor, details=details)


@transaction.atomic
def run_now(job: Job, *, actor: Actor) -> None:
    """Start a waiting job before its time; raises RefusedError, and ConflictError when it has begun or ended."""
    if why_not := job.kind.keeps_waiting and job.kind.keeps_waiting(job):
        raise RefusedError(f"{why_not} Nothing was changed.")
    _change(job, from_states=(State.SCHEDULED,), state=State.QUEUED, due_at=clock.now())
    log.append(Action.RUN_NOW, job.as_subject, actor=actor)
    send_after_commit(job)


@transaction.atomic
def retry(job: Job, *, actor: Actor) -> None:
    """Queue a failed job again, where its kind allows; raises RefusedError or ConflictError."""
    if not job.kind.retry_by_hand:
        raise RefusedError(f"“{job.kind.label}” is not retried: start it again from its own page.")
    _change(
        job,
        from_states=(State.FAILED,),
        state=State.QUEUED,
        due_at=clock.now(),
        finished_at=None,
        message="",
        error_code="",
        next_step="",
        done=0,
    )
    log.append(Action.RETRIED, job.as_subject, actor=actor)
    send_after_commit(job)


def _change(job: Job, *, from_states: tuple[State, ...], **values: Any) -> None:
    """Update the row if it still is in one of the states, and refresh the object."""
    changed = Job.objects.filter(pk=job.pk, state__in=from_states).update(**values)
    job.refresh_from_db()
    if not changed:
        ended = " It has ended." if job.state in FINISHED else ""
        raise ConflictError(
            f"“{job.kind.label}” is {State(job.state).label.lower()} by now.{ended} Nothing was changed.",
            next_step="Look at the job again.",
        )
