"""The lines of a check as a page shows them, while the job runs and after."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from console.jobs.models import Job
from console.lib import htmx
from console.servers.current import current
from hsm.jobs import CHECK

# What each light is called; colour never stands alone.
WORDS = {"ok": "in order", "warn": "look at this", "bad": "needs attention", "idle": "not used"}


@dataclass(frozen=True)
class Report:
    """`wait_ms` and `query` are for the next look; `wait_ms` 0 ends the polling."""

    job: Job
    parts: list[dict[str, Any]]
    bad: int
    wait_ms: int
    query: str


def last_check() -> Job | None:
    """Return the newest check of this server."""
    return Job.objects.filter(kind_name=CHECK.name, server=current()).first()


def report(job: Job, now: datetime, *, polls: int = 0, since: int = 0) -> Report:
    """Prepare the report of a check."""
    parts = job.result.get("parts", [])
    since = since or int(now.timestamp())
    wait_ms = int(htmx.poll_seconds(polls, now.timestamp() - since) * 1000) if job.is_open else 0
    return Report(
        job=job,
        parts=parts,
        bad=sum(line["light"] == "bad" for part in parts for line in part["lines"]),
        wait_ms=wait_ms,
        query=urlencode({"polls": polls + 1, "since": since}),
    )
