"""A job without work, in an application that a worker can be started with: `celery -A bench.empty_job`."""

import django

django.setup()

from console.celery import app  # noqa: E402
from console.jobs.kinds import JobKind, OnLost, register  # noqa: E402
from console.jobs.running import Run, job_task  # noqa: E402

KIND = register(JobKind("bench.empty", "Empty job", "bench.empty", time_limit_s=10, lease_s=20, on_lost=OnLost.FAIL))


@job_task(KIND)
def empty(_run: Run) -> str:
    """Do nothing."""
    return "Nothing was done."


__all__ = ["KIND", "app"]
