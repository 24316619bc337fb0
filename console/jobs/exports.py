"""Files that jobs leave for download: who asks, who may take them, what the log says of it."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet

from console.accounts.models import User
from console.activity import log
from console.jobs import queue
from console.jobs.kinds import JobKind
from console.jobs.models import OPEN, Job, State
from console.jobs.running import Run
from console.lib import csvfile
from console.lib.actor import Actor
from console.lib.errors import NotFoundError
from console.lib.subject import Subject
from console.servers.current import current

NAME = re.compile(r"[a-z]+-(?P<job>[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\.(?:csv|zip|part)")
SHOWN = 20


class Filter(Protocol):
    """What is wanted of all there is; empty for everything."""

    def as_params(self) -> Mapping[str, Any]:
        """Return it as JSON, for the job and for the log."""


@dataclass(frozen=True)
class Leaving:
    """One kind of file that jobs leave.

    `stem` begins its name here and `title` the name under which it is taken; `taken` is the entry of the activity log
    about that; `again` says how to get a file that is gone. With `is_own` only who asked for a file sees and takes it,
    else whoever may see the page. The files of another server lie there, and its console hands them out.
    """

    kind: JobKind
    stem: str
    title: str
    taken: str
    again: str
    suffix: str = "csv"
    is_own: bool = False

    def path_of(self, job_id: UUID) -> Path:
        """Return where the file of a job lies."""
        return Path(settings.EXPORT_DIR) / f"{self.stem}-{job_id}.{self.suffix}"

    def name_of(self, job: Job) -> str:
        """Return the name under which the file of a job is taken."""
        return f"{self.title}-{job.created_at:%Y-%m-%dT%H%M}Z.{self.suffix}"

    def jobs(self, user: User) -> QuerySet[Job]:
        """Return the jobs whose files the user may take here, the newest first."""
        jobs = self.here().select_related("server").order_by("-created_at", "-id")
        return jobs.filter(actor_id=user.actor.id) if self.is_own else jobs

    def here(self) -> QuerySet[Job]:
        """Return the jobs of this kind on this server."""
        return Job.objects.filter(kind_name=self.kind.name, server=current())

    def shown(self, user: User) -> dict[str, Any]:
        """Return what a page shows: the job that is `running`, and the newest `exports`."""
        jobs = self.jobs(user)
        return {"running": jobs.filter(state__in=OPEN).first(), "exports": jobs.filter(state=State.SUCCEEDED)[:SHOWN]}

    def take(self, job_id: UUID, user: User) -> tuple[Job, Path]:
        """Return a finished job and its file, after a log entry about who takes it; raises NotFoundError."""
        job = self.jobs(user).filter(pk=job_id, state=State.SUCCEEDED).first()
        path = self.path_of(job_id)
        if job is None or not path.is_file():
            raise NotFoundError(
                "There is no such file for you on this server. A file is deleted together with its job, after 90 days.",
                next_step=self.again,
            )
        with transaction.atomic():
            # A support bundle of an earlier version has no digest.
            details = {"sha256": job.result.get("sha256", "")}
            log.append(self.taken, job.as_subject, actor=user.actor, details=details)
        return job, path


@dataclass(frozen=True, kw_only=True)
class Export(Leaving):
    """Rows as CSV. `rows` says in a sentence what they are; `made` is the entry of the log about the finished file."""

    subject: Subject
    rows: str
    made: str

    def request(self, wanted: Filter, *, actor: Actor) -> Job:
        """Queue the export, or return the same one of this user that is under way: a second click."""
        params = wanted.as_params()
        same = self.here().filter(actor_id=actor.id, params=params)
        return queue.enqueue_once(self.kind, among=same, subject=self.subject, actor=actor, params=params)

    def write(self, run: Run, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
        """Write the file of a job and the entry about it; return what to say of it. For the worker."""
        path = self.path_of(run.job.pk)
        written = csvfile.write(columns, rows, path, lambda number: run.progress(number, 0, self._told(number)))
        run.result |= asdict(written)
        with transaction.atomic():
            details = {**run.result, "filter": run.job.params}
            log.append(self.made, self.subject, actor=run.actor, details=details)
        return f"{self._told(written.rows)}."

    def _told(self, number: int) -> str:
        return f"{number:,} {self.rows} written"


def files() -> dict[UUID, Path]:
    """Return every file that a job has left, by the job's id."""
    found = {}
    for path in Path(settings.EXPORT_DIR).glob("*-*.*"):
        if name := NAME.fullmatch(path.name):
            found[UUID(name["job"])] = path
    return found
