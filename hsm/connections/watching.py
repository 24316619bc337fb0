"""How a page follows a test: when it asks again, and what it says of a form that was tested before it is saved."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self
from urllib.parse import urlencode

from console.jobs.models import Job, State
from console.lib import clock, htmx

QUIET_MS = 15_000  # while nothing is tested, the page follows the health checks


@dataclass(frozen=True)
class Watch:
    """How long a page has followed a test; `wait_ms` and `query` are for the next look."""

    polls: int = 0
    since: int = 0
    was_busy: bool = False
    wait_ms: int = QUIET_MS

    @classmethod
    def of(cls, query: Mapping[str, str]) -> Self:
        """Read what the page sent back."""
        polls, since, busy = (_whole(query.get(name, "")) for name in ("polls", "since", "busy"))
        return cls(polls, since, bool(busy))

    def next(self, *, busy: bool) -> "Watch":
        """Return the next look: soon while something is tested."""
        now = int(clock.now().timestamp())
        if not busy:
            return Watch()
        polls, since = (self.polls, self.since) if self.was_busy and self.since else (0, now)
        wait_ms = int(htmx.poll_seconds(polls, now - since) * 1000)
        return Watch(polls + 1, since, was_busy=True, wait_ms=wait_ms)

    @property
    def query(self) -> str:
        """What the next look sends."""
        return urlencode({"polls": self.polls, "since": self.since, "busy": int(self.was_busy)})


@dataclass(frozen=True)
class DraftReport:
    """The test of an unsaved form: `outcome` when it has ended; `words` are those of GRP-19 and GRP-20."""

    job: Job
    outcome: dict[str, Any] | None
    connected: bool
    words: str
    watch: Watch


def draft_report(job: Job, watch: Watch | None = None) -> DraftReport:
    """Return what a form shows of its test."""
    following = (watch or Watch()).next(busy=job.is_open)
    if job.is_open:
        return DraftReport(job, None, connected=False, words="", watch=following)
    outcome: dict[str, Any] | None = next(iter(job.result.get("outcomes", ())), None)
    connected = job.state == State.SUCCEEDED and bool(outcome and outcome["connected"])
    return DraftReport(job, outcome, connected, "Connected" if connected else "Not Connected", following)


def _whole(text: str) -> int:
    return int(text) if text.isdecimal() and len(text) < 12 else 0
