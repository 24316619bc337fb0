"""Run one job: claim its row, do the work, write the outcome. The one place with a catch-all."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from celery import Task
from django.db import transaction
from django.db.models import F

from console.activity import log
from console.activity.models import Outcome
from console.celery import app
from console.jobs import locks
from console.jobs.actions import Action
from console.jobs.kinds import JobKind
from console.jobs.models import Job, State
from console.lib import clock
from console.lib.actor import Actor
from console.lib.errors import ConsoleError, UnavailableError

logger = logging.getLogger(__name__)

UNEXPECTED = "The job stopped on an unexpected error. The worker's log has the details under this job's id."


@dataclass
class Run:
    """One attempt at a job. `result` is shown with the job when it ends, so it holds no secret."""

    job: Job
    attempt: int
    result: dict[str, Any] = field(default_factory=dict)

    @property
    def actor(self) -> Actor:
        """Who does the work."""
        return self.job.actor

    def progress(self, done: int, total: int, message: str = "") -> None:
        """Show how far the work is, and what it has found so far."""
        self._rows().update(done=done, total=total, message=message, result=self.result)

    def _rows(self) -> Any:
        # The attempt number is the fence: an attempt that was declared lost writes nothing any more.
        return Job.objects.filter(pk=self.job.pk, state=State.RUNNING, attempts=self.attempt)

    def succeed(self, message: str) -> None:
        """Write the good end."""
        self._end(State.SUCCEEDED, message=message)

    def fail(self, error: BaseException) -> None:
        """Write the bad end, or the next attempt when the fault may pass and an attempt is left."""
        message, code, next_step = describe(error)
        delay = self.job.kind.delay_s(self.attempt) if may_pass(error) else None
        if delay is None:
            self._end(State.FAILED, message=message, error_code=code, next_step=next_step)
            return
        self._rows().update(
            state=State.SCHEDULED,
            due_at=clock.now() + timedelta(seconds=delay),
            lease_until=None,
            message=message,
            error_code=code,
            next_step=next_step,
        )

    @transaction.atomic
    def _end(self, state: State, *, message: str, error_code: str = "", next_step: str = "") -> None:
        now = clock.now()
        values: dict[str, Any] = {
            "state": state,
            "message": message,
            "error_code": error_code,
            "next_step": next_step,
            "finished_at": now,
            "lease_until": None,
        }
        if state == State.SUCCEEDED:
            values |= {"done": F("total"), "result": self.result}
        if self.job.every_s:
            values |= {"state": State.SCHEDULED, "due_at": now + timedelta(seconds=self.job.every_s)}
        ended = self._rows().update(**values)
        if ended and state == State.FAILED:
            details = {"message": message, "code": error_code, "attempt": self.attempt}
            log.append(Action.FAILED, self.job.as_subject, actor=self.actor, outcome=Outcome.FAILED, details=details)


def describe(error: BaseException) -> tuple[str, str, str]:
    """Return message, code and next step; of an error that nobody foresaw only that it happened."""
    # A device's error carries a class; it is no ConsoleError, because the device layer imports nothing of the console.
    if isinstance(error, ConsoleError) or hasattr(error, "error_class"):
        return str(error), getattr(error, "code", ""), getattr(error, "next_step", "")
    return UNEXPECTED, type(error).__name__, "Send the support bundle to whoever maintains this console."


def may_pass(error: BaseException) -> bool:
    """Whether trying again later may help."""
    return isinstance(error, UnavailableError) or getattr(error, "transient", False)


@contextmanager
def running(job_id: str) -> Iterator[Run | None]:
    """Claim the job, or yield None when another attempt has it or it has ended (a redelivered message)."""
    now = clock.now()
    job = Job.objects.select_related("server").filter(pk=job_id).first()
    claimed = job and Job.objects.filter(pk=job.pk, state=State.QUEUED, attempts=job.attempts).update(
        state=State.RUNNING,
        attempts=job.attempts + 1,
        started_at=now,
        finished_at=None,
        lease_until=now + timedelta(seconds=job.kind.lease_s),
    )
    if not job or not claimed:
        yield None
        return
    job.refresh_from_db()
    run = Run(job, job.attempts)
    with locks.held(locks.Attempt(job.pk, job.attempts)):
        try:
            yield run
        except Exception as error:  # every end is written down here; a MemoryError must not reach Celery
            if describe(error)[0] == UNEXPECTED:
                logger.exception("job %s (%s)", job.pk, job.kind_name)
            run.fail(error)


def job_task(kind: JobKind) -> Callable[[Callable[[Run], str | None]], "Task[[str], None]"]:
    """Make a Celery task of a function that does the work of one job and returns a message that is safe to show."""

    def bind(work: Callable[[Run], str | None]) -> "Task[[str], None]":
        @app.task(name=kind.task, time_limit=kind.time_limit_s, ignore_result=True, shared=True)
        def task(job_id: str) -> None:
            with running(job_id) as run:
                if run:
                    run.succeed(work(run) or "Done.")

        return task

    return bind
