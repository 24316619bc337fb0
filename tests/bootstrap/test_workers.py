"""Work goes on through real processes: broker, worker, beat."""

import pytest

from console.jobs import queue
from console.jobs.jobs import TIDY
from console.jobs.models import Job, State
from console.lib.actor import Actor
from console.servers.models import Server
from tests.fixtures.processes import Broker, Workers, wait_for

pytestmark = [pytest.mark.slow]
ACTOR = Actor.system("tests")


def _enqueue(server: Server) -> Job:
    return queue.enqueue(TIDY, subject=server.subject, actor=ACTOR, server=server)


@pytest.mark.one_database
def test_a_job_waits_for_a_broker_that_was_killed(workers: Workers, server: Server, broker: Broker) -> None:
    workers.worker()
    workers.wait(_enqueue(server))
    broker.kill()
    job = _enqueue(server)
    assert job.state == State.QUEUED
    broker.start()
    job.refresh_from_db()
    Job.objects.filter(pk=job.pk).update(sent_at=None)
    workers.beat()
    assert workers.wait(job).state == State.SUCCEEDED


def test_housekeeping_runs_by_beat_alone(workers: Workers, server: Server) -> None:
    workers.worker()
    workers.beat()
    workers.beat("second-beat")
    wait_for(lambda: Job.objects.filter(kind_name=TIDY.name, attempts__gte=1, state=State.SCHEDULED).exists())
    assert Job.objects.filter(kind_name=TIDY.name).count() == 1


def test_a_job_runs_in_a_worker_and_waits_for_one_that_was_killed(workers: Workers, server: Server) -> None:
    first = workers.worker()
    assert workers.wait(_enqueue(server)).state == State.SUCCEEDED
    first.kill()
    job = _enqueue(server)
    workers.worker("second")
    assert workers.wait(job).state == State.SUCCEEDED
