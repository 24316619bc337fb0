"""The grid of jobs: its tabs as a table, and its rows prepared for the template."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Q, QuerySet

from console.jobs import kinds
from console.jobs.card import LOOKS, notice
from console.jobs.models import FINISHED, Job, State
from console.lib import durations


@dataclass(frozen=True)
class Tab:
    """A view on the jobs. `live` tabs ask again every few seconds; `moment` names the column of times."""

    name: str
    label: str
    jobs: Q
    sort: str
    live: bool
    moment: str
    empty: str


TABS = (
    Tab(
        "open",
        "Running & queued",
        Q(state__in=(State.RUNNING, State.QUEUED, State.UNKNOWN)),
        "-created_at",
        live=True,
        moment="Started",
        empty="Nothing runs and nothing waits for a worker.",
    ),
    Tab(
        "scheduled",
        "Scheduled",
        Q(state=State.SCHEDULED),
        "due_at",
        live=True,
        moment="Due",
        empty="Nothing is planned for later.",
    ),
    Tab(
        "finished",
        "Finished",
        Q(state__in=FINISHED),
        "-created_at",
        live=False,
        moment="Finished",
        empty="No job has ended yet. Jobs are kept for 90 days.",
    ),
    Tab(
        "all",
        "All",
        Q(),
        "-created_at",
        live=False,
        moment="Time",
        empty="There are no jobs yet. Work on keys and HSMs runs as jobs and shows here.",
    ),
)


def tab(name: str | None) -> Tab:
    """Return the tab of that name, the first one for any other."""
    return next((found for found in TABS if found.name == name), TABS[0])


def jobs_of(shown: Tab) -> QuerySet[Job]:
    """Return the jobs of a tab; housekeeping has a list of its own."""
    return Job.objects.select_related("server").filter(shown.jobs, every_s=0)


@dataclass(frozen=True)
class Row:
    """One job in the grid. `moment_label` says what the time means where a tab mixes states."""

    job: Job
    title: str
    look: str
    icon: str
    state: str
    percent: int | None
    notice: str
    moment_label: str
    moment: datetime
    took: str


def row(job: Job, now: datetime) -> Row:
    """Prepare one row."""
    look, icon = LOOKS[job.state]
    label, moment = _moment(job)
    took = ""
    if job.state in FINISHED and job.started_at and job.finished_at:
        took = durations.length((job.finished_at - job.started_at).total_seconds())
    running = job.state == State.RUNNING and job.total > 0
    percent = min(100, job.done * 100 // job.total) if running else None
    return Row(job, job.label, look, icon, State(job.state).label, percent, notice(job, now), label, moment, took)


def _moment(job: Job) -> tuple[str, datetime]:
    if job.state == State.SCHEDULED:
        return "Due", job.due_at
    if job.finished_at:
        return "Finished", job.finished_at
    if job.started_at:
        return "Started", job.started_at
    return "Asked", job.created_at


@dataclass(frozen=True)
class Housekeeping:
    """A kind of work that comes back by itself, with its last run."""

    job: Job
    title: str
    every: str
    look: str
    state: str
    last: datetime | None
    took: str
    late: bool


def housekeeping(now: datetime) -> list[Housekeeping]:
    """Return every housekeeping job of every server; one row each, however often it runs."""
    known = {kind.name for kind, _ in kinds.periodic()}
    found = Job.objects.select_related("server").filter(every_s__gt=0, kind_name__in=known)
    return [_kept(job, now) for job in found.order_by("kind_name", "server__fqdn")]


def _kept(job: Job, now: datetime) -> Housekeeping:
    running = job.state in {State.RUNNING, State.QUEUED}
    if running:
        look, state = LOOKS[job.state][0], State(job.state).label
    elif job.finished_at is None:
        look, state = "mute", "Not run yet"
    elif job.error_code or job.next_step:
        look, state = "bad", "Failed"
    else:
        look, state = "ok", "Succeeded"
    took = ""
    if job.started_at and job.finished_at and job.finished_at >= job.started_at:
        took = durations.length((job.finished_at - job.started_at).total_seconds())
    late = not running and now - job.due_at > timedelta(seconds=60)
    every = durations.length(job.every_s)
    return Housekeeping(job, job.label, every, look, state, job.finished_at, took, late)


def failing_housekeeping() -> int:
    """Return how many housekeeping jobs ended badly the last time."""
    bad = ~Q(error_code="") | ~Q(next_step="")
    return Job.objects.filter(bad, every_s__gt=0, state=State.SCHEDULED, finished_at__isnull=False).count()
