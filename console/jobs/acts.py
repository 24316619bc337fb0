"""What a user may do with a job now, and the reason where not. The queue decides again when it is asked."""

from dataclasses import dataclass

from console.jobs import kinds
from console.jobs.kinds import JobKind
from console.jobs.models import FINISHED, Job, State

BEGUN = "It has begun, and work that has begun is not interrupted."


@dataclass(frozen=True)
class Act:
    """A button: `reason` says why it cannot be used now, empty when it can."""

    name: str
    label: str
    icon: str
    reason: str = ""
    danger: bool = False


def acts(job: Job) -> list[Act]:
    """Return the acts that make sense for a job in its state."""
    kind = kinds.find(job.kind_name)
    if kind is None:
        return []
    if job.state in FINISHED:
        return [_retry(kind)] if job.state == State.FAILED else []
    dated = [_run_now(job, kind)] if job.state == State.SCHEDULED else []
    if job.every_s:
        return dated
    if dated:
        dated.append(_reschedule(kind))
    return [*dated, _cancel(job, kind)]


def _run_now(job: Job, kind: JobKind) -> Act:
    return Act("run-now", "Run now", "player-play", kind.keeps_waiting(job) if kind.keeps_waiting else "")


def _reschedule(kind: JobKind) -> Act:
    reason = "" if kind.reschedulable else "Its date follows from what it does, and cannot be moved."
    return Act("reschedule", "Move the date", "calendar-event", reason)


def _cancel(job: Job, kind: JobKind) -> Act:
    reason = ""
    if not job.is_waiting:
        reason = BEGUN
    elif not kind.cancellable:
        reason = "Cancelling it would leave half of the work undone."
    return Act("cancel", "Cancel job", "ban", reason, danger=True)


def _retry(kind: JobKind) -> Act:
    reason = "" if kind.retry_by_hand else "This kind is not retried from here. Start it again from its own page."
    return Act("retry", "Retry", "rotate-clockwise", reason)
