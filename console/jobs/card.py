"""What a page shows of one job while it runs, and when it asks again. Pure: a job and a time go in, text comes out."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import urlencode

from console.jobs import kinds
from console.jobs.models import OPEN, Job, State
from console.lib import durations, htmx

# How a state looks: kind of mark and icon, always beside its word.
LOOKS: dict[str, tuple[str, str]] = {
    State.SCHEDULED: ("mute", "calendar-time"),
    State.QUEUED: ("mute", "hourglass"),
    State.RUNNING: ("info", ""),
    State.SUCCEEDED: ("ok", ""),
    State.FAILED: ("bad", ""),
    State.CANCELLED: ("mute", "ban"),
    State.UNKNOWN: ("warn", ""),
}
SOON = timedelta(minutes=10)  # a scheduled job is watched when it is due within this time
NOT_TAKEN = timedelta(seconds=15)
QUARTERS = (75, 50, 25)
NOTHING_SAID, STARTED = -1, 0
NUMBER = re.compile(r"-?[0-9]{1,11}")


@dataclass(frozen=True)
class Watch:
    """How long a page has watched a job: polls made, seconds since the first, the last share that was spoken."""

    polls: int = 0
    since: int = 0
    said: int = NOTHING_SAID

    @classmethod
    def read(cls, query: Mapping[str, str]) -> "Watch":
        """Return what the address of a poll says; nonsense counts as nothing."""

        def number(name: str, default: int, highest: int) -> int:
            text = query.get(name, "")
            return min(int(text), highest) if NUMBER.fullmatch(text) else default

        return cls(number("polls", 0, 10_000), number("since", 0, 10**10), number("said", NOTHING_SAID, 100))


@dataclass(frozen=True)
class Card:
    """`wait_ms` and `query` are for the next poll; `wait_ms` 0 ends the polling."""

    title: str
    look: str
    icon: str
    state: str
    percent: int
    notice: str
    attempt: str
    countdown: bool
    wait_ms: int
    query: str
    news: str


def card(job: Job, now: datetime, watch: Watch | None = None) -> Card:
    """Prepare the card of a job. `news` is what a screen reader says now, empty when there is nothing new.

    Without `watch` it is the card of a whole page, which has no way to speak: the first poll does.
    """
    look, icon = LOOKS[job.state]
    percent = min(100, job.done * 100 // job.total) if job.total else 0
    said, news = _spoken(job, percent, watch.said) if watch else (NOTHING_SAID, "")
    watch = watch or Watch()
    since = watch.since or int(now.timestamp())
    seconds = htmx.poll_seconds(watch.polls, now.timestamp() - since) if watched(job, now) else 0
    return Card(
        title=job.label,
        look=look,
        icon=icon,
        state=State(job.state).label,
        percent=percent,
        notice=notice(job, now),
        attempt=_attempt(job),
        countdown=job.state == State.SCHEDULED,
        wait_ms=int(seconds * 1000),
        query=urlencode({"polls": watch.polls + 1, "since": since, "said": said}),
        news=news,
    )


def watched(job: Job, now: datetime) -> bool:
    """Tell whether the page should ask again by itself."""
    if job.state == State.SCHEDULED:
        return not job.every_s and job.due_at - now < SOON
    return job.state in OPEN


def notice(job: Job, now: datetime) -> str:
    """Return a sentence about work that does not go on, empty when all is well."""
    if job.is_open and not kinds.find(job.kind_name):
        return "This version of the console does not know this kind of work. The job waits for one that does."
    if job.state == State.QUEUED and now - job.due_at > NOT_TAKEN:
        waited = durations.length((now - job.due_at).total_seconds())
        return f"No worker has taken this job for {waited}. It starts by itself as soon as one is free."
    if job.state == State.RUNNING and job.lease_until is not None and job.lease_until < now:
        return "Its worker has not answered in time. The next tick settles what became of it."
    if job.state == State.SCHEDULED and now - job.due_at > NOT_TAKEN:
        return "It is due, and no tick has started it. Check that the beat and worker processes run."
    if job.state == State.UNKNOWN:
        return "Its worker was lost in the middle. What it did is being found out; nothing is done twice."
    return ""


def _attempt(job: Job) -> str:
    kind = kinds.find(job.kind_name)
    if job.every_s or kind is None or (job.attempts < 2 and not (job.attempts and job.state == State.SCHEDULED)):
        return ""
    if job.state == State.SCHEDULED:
        return f"Attempt {job.attempts} failed; attempt {_numbered(job.attempts + 1, kind.max_attempts)} is next"
    return f"Attempt {_numbered(job.attempts, kind.max_attempts)}"


def _numbered(attempt: int, most: int) -> str:
    """Return the number of an attempt; one beyond `most` was asked for by hand."""
    return f"{attempt} of {most}" if most > 1 and attempt <= most else str(attempt)


def _spoken(job: Job, percent: int, said: int) -> tuple[int, str]:
    """Return the new mark and the words: at the start, at 25, 50 and 75 %, and at the end."""
    name = job.label
    if job.state not in OPEN:
        return 100, " ".join(filter(None, (f"{name}: {State(job.state).label.lower()}.", job.message)))
    if job.state != State.RUNNING:
        return said, ""
    reached = next((share for share in QUARTERS if percent >= share), STARTED)
    if reached <= said:
        return said, ""
    return reached, f"{name}: started." if reached == STARTED else f"{name}: {reached} percent."
