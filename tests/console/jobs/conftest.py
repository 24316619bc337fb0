"""A kind of job whose work each test decides."""

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import pytest

from console.celery import app
from console.jobs import kinds, queue
from console.jobs.kinds import JobKind, OnLost
from console.jobs.models import Job
from console.jobs.running import Run, job_task
from console.lib.actor import Actor, ActorKind
from console.lib.subject import Subject
from console.servers.models import Server

NUMBERS = itertools.count()
ALICE = Actor(ActorKind.USER, "alice", "1")
THING = Subject("root-key", "7", "ts1.example.com Root 0")


@dataclass
class Work:
    """What the task does when it runs, and how often it ran."""

    does: Callable[[Run], str | None] = lambda _run: "done"
    runs: list[int] = field(default_factory=list)
    settled: list[str] = field(default_factory=list)
    cancelled: list[str] = field(default_factory=list)

    def __call__(self, run: Run) -> str | None:
        self.runs.append(run.attempt)
        return self.does(run)


@pytest.fixture
def work() -> Work:
    return Work()


@pytest.fixture
def make_kind(work: Work) -> Iterator[Callable[..., JobKind]]:
    """Register a kind for this test only."""
    made: list[str] = []

    def make(**options: object) -> JobKind:
        name = f"tests.kind-{next(NUMBERS)}"
        defaults: dict[str, object] = {"time_limit_s": 5, "lease_s": 10, "on_lost": OnLost.FAIL}
        if options.get("on_lost") is OnLost.UNKNOWN:
            defaults["settle"] = lambda job: work.settled.append(str(job.pk))
        kind = JobKind(name=name, label="Test work", task=name, **(defaults | options))  # type: ignore[arg-type]
        kinds.register(kind)
        made.append(name)
        job_task(kind)(work)
        return kind

    yield make
    for name in made:
        del kinds._kinds[name], app.tasks[name]
        kinds._periodic.pop(name, None)


@pytest.fixture
def make_job(server: Server) -> Callable[..., Job]:
    """Put a job into the queue as alice."""

    def make(kind: JobKind, **options: object) -> Job:
        return queue.enqueue(kind, subject=THING, actor=ALICE, server=server, **options)  # type: ignore[arg-type]

    return make
