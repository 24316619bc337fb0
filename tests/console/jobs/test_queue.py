"""Putting work into the queue and changing what waits there."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from console.activity.models import Entry
from console.jobs import queue
from console.jobs.kinds import JobKind
from console.jobs.models import Job, State
from console.jobs.running import running
from console.lib import clock
from console.lib.errors import ConflictError, RefusedError
from console.servers.models import Server
from tests.console.jobs.conftest import ALICE, THING, Work
from tests.fixtures import turns

pytestmark = pytest.mark.django_db

MakeKind = Callable[..., JobKind]
MakeJob = Callable[..., Job]


def _in(**delta: int) -> object:
    return clock.now() + timedelta(**delta)


def test_a_job_without_a_time_is_queued(make_kind: MakeKind, make_job: MakeJob) -> None:
    job = make_job(make_kind())
    assert job.state == State.QUEUED
    assert job.actor == ALICE


def test_a_planned_job_runs_as_the_system_on_the_users_plan(make_kind: MakeKind, make_job: MakeJob) -> None:  # LOG-04
    job = make_job(make_kind(), due_at=_in(days=7))
    assert job.state == State.SCHEDULED
    assert (job.actor.name, job.actor.planned_by) == ("scheduler", "alice")


def test_cancel_ends_it_and_tells_its_kind(make_kind: MakeKind, make_job: MakeJob, work: Work) -> None:  # STK-07
    kind = make_kind(on_cancel=lambda job, actor: work.cancelled.append(f"{job.pk} {actor.name}"))
    job = make_job(kind, due_at=_in(days=7))
    queue.cancel(job, actor=ALICE)
    assert job.state == State.CANCELLED
    assert work.cancelled == [f"{job.pk} alice"]
    assert Entry.objects.get(action="jobs.cancelled").subject_id == str(job.pk)


def test_what_runs_is_not_cancelled(make_kind: MakeKind, make_job: MakeJob) -> None:
    job = make_job(make_kind())
    with running(str(job.pk)) as run:
        assert run
        with pytest.raises(ConflictError, match="running"):
            queue.cancel(job, actor=ALICE)
        run.succeed("")
    with pytest.raises(ConflictError, match="ended"):
        queue.cancel(job, actor=ALICE)


def test_a_kind_that_is_not_cancellable_refuses(make_kind: MakeKind, make_job: MakeJob) -> None:
    job = make_job(make_kind(cancellable=False))
    with pytest.raises(RefusedError):
        queue.cancel(job, actor=ALICE)
    assert Job.objects.get(pk=job.pk).state == State.QUEUED


def test_reschedule_moves_the_date(make_kind: MakeKind, make_job: MakeJob) -> None:
    job = make_job(make_kind(reschedulable=True), due_at=_in(days=7))
    later = clock.now() + timedelta(days=9)
    queue.reschedule(job, later, actor=ALICE)
    assert Job.objects.get(pk=job.pk).due_at == later
    with pytest.raises(RefusedError, match="passed"):
        queue.reschedule(job, clock.now() - timedelta(seconds=1), actor=ALICE)
    assert Job.objects.get(pk=job.pk).due_at == later


def test_run_now_queues_it_once(make_kind: MakeKind, make_job: MakeJob) -> None:
    job = make_job(make_kind(), due_at=_in(days=7))
    queue.run_now(job, actor=ALICE)
    assert job.state == State.QUEUED
    with pytest.raises(ConflictError):
        queue.run_now(job, actor=ALICE)


def test_retry_where_the_kind_allows(make_kind: MakeKind, make_job: MakeJob) -> None:
    job = make_job(make_kind(retry_by_hand=True))
    Job.objects.filter(pk=job.pk).update(state=State.FAILED)
    queue.retry(job, actor=ALICE)
    assert job.state == State.QUEUED
    other = make_job(make_kind())
    Job.objects.filter(pk=other.pk).update(state=State.FAILED)
    with pytest.raises(RefusedError):
        queue.retry(other, actor=ALICE)


@pytest.mark.django_db(transaction=True)
def test_two_that_ask_in_the_same_instant_get_one_job(server: Server, make_kind: MakeKind) -> None:
    kind = make_kind()

    def ask() -> Job:
        return queue.enqueue_once(kind, among=Job.objects.filter(kind_name=kind.name), subject=THING, actor=ALICE)

    with turns.first(ask) as second:
        job = ask()
    assert second == [job]
    assert Job.objects.get(kind_name=kind.name) == job
