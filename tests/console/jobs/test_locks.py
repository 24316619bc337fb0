"""A job whose process is gone is settled by the next tick; one that may still be at work waits for its lease."""

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from pytest_django import Settings

from console.jobs import locks, sweeping
from console.jobs.kinds import JobKind, OnLost
from console.jobs.models import Job, State
from console.jobs.running import running
from console.lib import clock
from console.servers.models import Server
from tests.console.jobs.conftest import Work

MakeKind = Callable[..., JobKind]
MakeJob = Callable[..., Job]


@pytest.fixture
def settled(server: Server) -> Callable[[Job], Job]:
    """Return a function that does what a tick does with lost jobs, and returns one as it is then."""

    def settle(job: Job) -> Job:
        sweeping.settle_lost(server, clock.now())
        job.refresh_from_db()
        return job

    return settle


@pytest.mark.django_db(transaction=True)
def test_a_killed_process_is_noticed_at_once_and_a_living_one_is_left_alone(
    make_kind: MakeKind,
    make_job: MakeJob,
    work: Work,
    run_killed: Callable[[Job, str, str], None],
    settled: Callable[[Job], Job],
    var_dir: Path,
) -> None:
    kind = make_kind(on_lost=OnLost.RETRY, max_attempts=2, time_limit_s=3600, lease_s=3660)
    living, killed = make_job(kind), make_job(kind)
    work.does = lambda run: run.progress(1, 2)
    with running(str(living.pk)) as run:  # its lock is this process's own: what is forked from here has others
        assert run
        run_killed(killed, "console.jobs.running:Run.progress", "after")
        killed.refresh_from_db()
        assert (killed.state, killed.done) == (State.RUNNING, 1)
        lease_until = killed.lease_until
        assert lease_until
        assert settled(killed).state == State.SCHEDULED
        assert killed.due_at < lease_until
        assert settled(living).state == State.RUNNING
        run.succeed("done")
    assert settled(living).state == State.SUCCEEDED
    assert list((var_dir / "run" / "jobs").iterdir()) == []


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("lease", "delays", "waits_s"),
    [(3600, (), 30), (3600, (180,), 180), (90, (180,), 90), (-1, (180,), 0)],
)
def test_it_begins_again_when_no_call_can_be_under_way(
    make_kind: MakeKind, make_job: MakeJob, server: Server, lease: int, delays: tuple[int, ...], waits_s: int
) -> None:
    now = clock.now()
    job = make_job(
        make_kind(on_lost=OnLost.RETRY, max_attempts=0, time_limit_s=3570, lease_s=3600, retry_delays_s=delays)
    )
    at_work(job, now + timedelta(seconds=lease))
    left_behind(job)
    sweeping.settle_lost(server, now)
    job.refresh_from_db()
    assert (job.state, job.due_at) == (State.SCHEDULED, now + timedelta(seconds=waits_s))


@pytest.mark.django_db
def test_who_is_not_known_here_waits_for_the_lease(
    make_kind: MakeKind, make_job: MakeJob, settled: Callable[[Job], Job], settings: Settings, tmp_path: Path
) -> None:
    job = make_job(make_kind())
    at_work(job, clock.now() + timedelta(hours=1))
    assert settled(job).state == State.RUNNING  # on another host, or before a restore
    left_behind(job)
    Job.objects.filter(pk=job.pk).update(attempts=2)
    assert settled(job).state == State.RUNNING  # an earlier attempt's file says nothing of this one
    assert locks.left() == []
    another = make_job(make_kind())
    settings.STATE_DIR = tmp_path / "file"
    settings.STATE_DIR.write_text("no folder")
    with running(str(another.pk)) as run:
        assert run
        run.succeed("done")
    another.refresh_from_db()
    assert another.state == State.SUCCEEDED


@pytest.mark.django_db
def test_work_that_ends_without_an_outcome_is_lost(
    make_kind: MakeKind, make_job: MakeJob, settled: Callable[[Job], Job]
) -> None:
    job = make_job(make_kind())
    with pytest.raises(SystemExit), running(str(job.pk)):
        raise SystemExit
    assert settled(job).state == State.FAILED


def at_work(job: Job, lease_until: datetime) -> None:
    Job.objects.filter(pk=job.pk).update(state=State.RUNNING, attempts=1, lease_until=lease_until)


def left_behind(job: Job) -> None:
    """Leave the lock of the first attempt as a process does that is gone."""
    with pytest.raises(KeyboardInterrupt), locks.held(locks.Attempt(job.pk, 1)):
        raise KeyboardInterrupt
