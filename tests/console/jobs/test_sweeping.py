"""The tick: what is due starts once, what was lost is settled, whatever was down."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from console.activity.models import Entry
from console.jobs import kinds, sweeping
from console.jobs.kinds import JobKind, OnLost
from console.jobs.models import Job, State
from console.lib import clock
from console.servers.models import Server
from tests.console.jobs.conftest import Work

pytestmark = pytest.mark.django_db

MakeKind = Callable[..., JobKind]
MakeJob = Callable[..., Job]


def _lost(job: Job) -> Job:
    past = clock.now() - timedelta(seconds=1)
    Job.objects.filter(pk=job.pk).update(state=State.RUNNING, attempts=1, lease_until=past)
    return job


def test_what_is_due_is_queued_and_the_rest_waits(server: Server, make_kind: MakeKind, make_job: MakeJob) -> None:
    kind = make_kind()
    soon = make_job(kind, due_at=clock.now() + timedelta(hours=1))
    later = make_job(kind, due_at=clock.now() + timedelta(hours=3))
    sweeping.start_due(server, clock.now() + timedelta(hours=2))
    soon.refresh_from_db()
    later.refresh_from_db()
    assert (soon.state, later.state) == (State.QUEUED, State.SCHEDULED)


def test_a_job_of_another_version_keeps_no_other_waiting(
    server: Server, make_kind: MakeKind, make_job: MakeJob
) -> None:
    kind = make_kind()
    past = clock.now() - timedelta(minutes=1)
    strange = [make_job(kind, due_at=past), make_job(kind), _lost(make_job(kind))]
    Job.objects.filter(pk__in=[job.pk for job in strange]).update(kind_name="tests.removed")
    late = past + timedelta(seconds=1)
    due, left, lost = make_job(kind, due_at=late), make_job(kind), _lost(make_job(kind))
    Job.objects.filter(pk=left.pk).update(due_at=late, sent_at=late)
    Job.objects.filter(pk=strange[1].pk).update(due_at=past, sent_at=past)
    Job.objects.filter(pk=strange[2].pk).update(lease_until=past)
    sweeping.tick(server)
    states = [Job.objects.get(pk=job.pk).state for job in (*strange, due, lost)]
    assert states == [State.SCHEDULED, State.QUEUED, State.RUNNING, State.QUEUED, State.FAILED]
    assert Job.objects.filter(pk=left.pk, sent_at__gt=late).exists()


def test_a_lost_message_is_sent_again(
    server: Server, make_kind: MakeKind, make_job: MakeJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = make_job(make_kind())
    sent: list[object] = []
    monkeypatch.setattr(sweeping, "send", lambda job: sent.append(job.pk))
    sweeping.resend(server, clock.now())
    assert sent == [job.pk]
    Job.objects.filter(pk=job.pk).update(sent_at=clock.now())
    sweeping.resend(server, clock.now())
    assert sent == [job.pk]


@pytest.mark.parametrize(
    ("on_lost", "options", "state"),
    [
        (OnLost.FAIL, {}, State.FAILED),
        (OnLost.RETRY, {"max_attempts": 2}, State.SCHEDULED),
        (OnLost.RETRY, {"max_attempts": 1}, State.FAILED),
        (OnLost.RETRY, {"max_attempts": 0}, State.SCHEDULED),
        (OnLost.UNKNOWN, {}, State.UNKNOWN),
    ],
)
def test_a_lost_worker(
    server: Server,
    make_kind: MakeKind,
    make_job: MakeJob,
    work: Work,
    on_lost: OnLost,
    options: dict[str, int],
    state: State,
) -> None:
    job = _lost(make_job(make_kind(on_lost=on_lost, **options)))
    sweeping.settle_lost(server, clock.now())
    sweeping.settle_lost(server, clock.now())
    job.refresh_from_db()
    assert job.state == state
    assert work.settled == ([str(job.pk)] if on_lost is OnLost.UNKNOWN else [])
    assert Entry.objects.filter(action="jobs.lost", subject_id=str(job.pk)).count() == 1


def test_a_worker_that_ends_while_it_settles_leaves_a_job_to_be_settled(
    server: Server, make_kind: MakeKind, make_job: MakeJob
) -> None:
    ends = [KeyboardInterrupt()]

    def settle(job: Job) -> None:
        if ends:
            raise ends.pop()
        sweeping.resolve_unknown(job, State.FAILED, "Nothing was made.")

    job = _lost(make_job(make_kind(on_lost=OnLost.UNKNOWN, settle=settle)))
    with pytest.raises(KeyboardInterrupt):
        sweeping.settle_lost(server, clock.now())
    sweeping.settle_lost(server, clock.now())
    job.refresh_from_db()
    assert (job.state, job.message) == (State.FAILED, "Nothing was made.")


def test_a_job_within_its_lease_is_left_alone(server: Server, make_kind: MakeKind, make_job: MakeJob) -> None:
    job = make_job(make_kind())
    Job.objects.filter(pk=job.pk).update(state=State.RUNNING, lease_until=clock.now() + timedelta(seconds=1))
    sweeping.settle_lost(server, clock.now())
    job.refresh_from_db()
    assert job.state == State.RUNNING


def test_housekeeping_has_one_row_for_each_server(server: Server, make_kind: MakeKind) -> None:
    kind = make_kind(housekeeping=True)
    kinds._periodic[kind.name] = 60
    for _ in range(2):
        sweeping.ensure_housekeeping(server, clock.now())
    assert Job.objects.get(kind_name=kind.name).every_s == 60


def test_old_jobs_are_deleted_after_90_days(make_kind: MakeKind, make_job: MakeJob) -> None:
    kind = make_kind()
    old, young = make_job(kind), make_job(kind)
    now = clock.now()
    Job.objects.filter(pk=old.pk).update(state=State.SUCCEEDED, finished_at=now - timedelta(days=91))
    Job.objects.filter(pk=young.pk).update(state=State.SUCCEEDED, finished_at=now - timedelta(days=89))
    assert sweeping.tidy(now) == 1
    assert list(Job.objects.filter(kind_name=kind.name)) == [young]


def test_a_kind_must_outlive_its_time_limit() -> None:
    with pytest.raises(ValueError, match="lease"):
        JobKind(name="x", label="x", task="x", time_limit_s=10, lease_s=10, on_lost=OnLost.FAIL)
