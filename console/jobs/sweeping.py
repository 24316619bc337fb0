"""What beat's tick does: start what is due, send lost messages again, settle what lost its worker, tidy up."""

from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import QuerySet

from console.activity import log
from console.activity.models import Outcome
from console.jobs import kinds, locks
from console.jobs.actions import Action
from console.jobs.kinds import OnLost
from console.jobs.models import FINISHED, Job, State
from console.jobs.sending import send, send_after_commit
from console.lib import clock
from console.lib.actor import Actor
from console.servers.models import Server

BATCH = 50
RESEND_AFTER = timedelta(seconds=30)
KEEP = timedelta(days=90)
LOST = "The worker stopped in the middle of this job."


def tick(server: Server) -> None:
    """Do one round for a server. Two rounds at once are harmless: every step is a conditional UPDATE."""
    now = clock.now()
    ensure_housekeeping(server, now)
    start_due(server, now)
    resend(server, now)
    settle_lost(server, now)


def ensure_housekeeping(server: Server, now: datetime) -> None:
    """Make the one row of each housekeeping kind."""
    for kind, every_s in kinds.periodic():
        job, created = Job.objects.get_or_create(
            server=server,
            kind_name=kind.name,
            every_s__gt=0,
            defaults={
                "every_s": every_s,
                "subject_kind": server.subject.kind,
                "subject_id": server.subject.id,
                "subject_label": server.subject.label,
                "actor_kind": "system",
                "actor_name": "scheduler",
                "state": State.SCHEDULED,
                "due_at": now,
                "created_at": now,
            },
        )
        if not created and job.every_s != every_s:
            Job.objects.filter(pk=job.pk).update(every_s=every_s)


def start_due(server: Server, now: datetime) -> None:
    """Queue what is due. On PostgreSQL another tick skips the locked rows; SQLite has one writer at a time."""
    with transaction.atomic():
        rows = _jobs(server, State.SCHEDULED).select_for_update(skip_locked=True, of=("self",))
        for job in rows.filter(due_at__lte=now).order_by("due_at")[:BATCH]:
            if Job.objects.filter(pk=job.pk, state=State.SCHEDULED).update(state=State.QUEUED):
                send_after_commit(job)


def resend(server: Server, now: datetime) -> None:
    """Send again what was queued a while ago and that no worker has taken: the message may be lost."""
    waiting = _jobs(server, State.QUEUED).exclude(sent_at__gt=now - RESEND_AFTER)
    for job in waiting.order_by("due_at")[:BATCH]:
        send(job)


def settle_lost(server: Server, now: datetime) -> None:
    """Decide, by its kind, about every running job whose process is gone, or whose lease ran out."""
    for attempt in locks.left():
        job = _jobs(server, State.RUNNING).filter(pk=attempt.job_id, attempts=attempt.number).first()
        if job:
            _settle(job, now)
        locks.forget(attempt)
    lost = _jobs(server, State.RUNNING).filter(lease_until__lt=now)
    for job in lost.order_by("lease_until")[:BATCH]:
        _settle(job, now)


def _jobs(server: Server, state: State) -> QuerySet[Job]:
    """Return the jobs in a state, but those of a kind that this version does not have: they wait for one that has."""
    known = [kind.name for kind in kinds.every()]
    return Job.objects.select_related("server").filter(server=server, state=state, kind_name__in=known)


def _settle(job: Job, now: datetime) -> None:
    kind = job.kind
    again = kind.on_lost is OnLost.RETRY and (not kind.max_attempts or job.attempts < kind.max_attempts)
    if again or job.every_s:
        values = {"state": State.SCHEDULED, "due_at": _again_at(job, now), "lease_until": None, "message": LOST}
    elif kind.on_lost is OnLost.UNKNOWN:
        values = {
            "state": State.UNKNOWN,
            "lease_until": None,
            "message": f"{LOST} What it did is being found out.",
        }
    else:
        values = {"state": State.FAILED, "lease_until": None, "message": LOST, "finished_at": now}
    with transaction.atomic():
        fence = Job.objects.filter(pk=job.pk, state=State.RUNNING, attempts=job.attempts)
        if not fence.update(**values):
            return
        job.refresh_from_db()
        if not job.every_s:
            log.append(
                Action.LOST,
                job.as_subject,
                actor=Actor.system(),
                outcome=Outcome.FAILED if job.state == State.FAILED else Outcome.UNKNOWN,
                details={"attempt": job.attempts, "now": job.state},
            )
        # In the same transaction: nobody looks again at a job that is unknown.
        if job.state == State.UNKNOWN and kind.settle:
            kind.settle(job)


def _again_at(job: Job, now: datetime) -> datetime:
    """Return when a lost job may begin again: no call that its worker made to a device is under way by then.

    Such a call has a deadline, for which the lease outlasts the time limit; a kind that waits longer after a fault has
    its reason. At the end of the lease both have passed.
    """
    kind = job.kind
    wait_s = max(kind.lease_s - kind.time_limit_s, kind.delay_s(job.attempts) or 0)
    return max(now, min(job.lease_until or now, now + timedelta(seconds=wait_s)))


def resolve_unknown(job: Job, state: State, message: str) -> None:
    """End a job that was unknown, once it is known what it did."""
    Job.objects.filter(pk=job.pk, state=State.UNKNOWN).update(state=state, message=message, finished_at=clock.now())


def tidy(now: datetime) -> int:
    """Delete jobs that ended 90 days ago; return how many."""
    old = Job.objects.filter(state__in=FINISHED, every_s=0, finished_at__lt=now - KEEP)
    return old.delete()[0]
