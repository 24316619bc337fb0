"""Work goes on through real processes: broker, worker, beat."""

import fcntl
import os
import signal
from pathlib import Path

import pytest

from console.activity import heads
from console.activity.jobs import VERIFY
from console.celery import app
from console.jobs import queue
from console.jobs.jobs import TIDY
from console.jobs.models import Job, State
from console.lib.actor import Actor
from console.servers.models import Server
from tests.fixtures.children import children
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


@pytest.mark.one_database
def test_a_worker_outlives_a_broker_that_is_killed_while_a_job_is_under_way(
    workers: Workers, server: Server, broker: Broker
) -> None:
    worker = workers.worker()
    assert worker.running
    hands = children(worker.running.pid)
    for hand in hands:
        os.kill(hand, signal.SIGSTOP)
    job = _enqueue(server)
    wait_for(lambda: str(job.kind.task).encode() + b"[" in worker.log.read_bytes(), what="the job in the worker")
    broker.kill()
    wait_for(lambda: b"Connection to broker lost" in worker.log.read_bytes(), what="the worker's notice")
    broker.start()
    for hand in hands:
        os.kill(hand, signal.SIGCONT)
    assert workers.wait(job).state == State.SUCCEEDED
    assert workers.wait(_enqueue(server)).state == State.SUCCEEDED
    assert not worker.has_ended()


def test_housekeeping_runs_by_beat_alone(workers: Workers, server: Server) -> None:
    workers.worker()
    workers.beat()
    workers.beat("second-beat")
    wait_for(lambda: Job.objects.filter(kind_name=TIDY.name, attempts__gte=1, state=State.SCHEDULED).exists())
    assert Job.objects.filter(kind_name=TIDY.name).count() == 1


def test_a_job_outlives_its_process_and_waits_for_a_worker_that_was_killed(
    workers: Workers, server: Server, var_dir: Path
) -> None:
    first = workers.worker()
    assert first.running
    assert workers.wait(_enqueue(server)).state == State.SUCCEEDED
    (var_dir / "Logs").mkdir(exist_ok=True)
    with (var_dir / "Logs" / "pki.log").open("ab") as log:
        fcntl.flock(log, fcntl.LOCK_EX)  # the job's last line in it has to wait
        lost = queue.enqueue(VERIFY, subject=heads.LOG, actor=ACTOR, server=server)
        wait_for(lambda: list((var_dir / "run" / "jobs").glob(f"{lost.pk}.*")), what="the job at work")
        for hand in children(first.running.pid):
            os.kill(hand, signal.SIGKILL)

    def is_settled() -> bool:
        app.send_task("jobs.tick", queue=server.queue, ignore_result=True)
        return Job.objects.filter(pk=lost.pk, state=State.SCHEDULED).exists()

    wait_for(is_settled, what="a tick in a new process", every_s=0.5)  # the lease would have lasted an hour
    first.kill()
    job = _enqueue(server)
    # Its new processes have the connection for a moment more: what the broker sends there is lost, and sent again.
    Job.objects.filter(pk=job.pk).update(sent_at=None)
    workers.worker("second")
    app.send_task("jobs.tick", queue=server.queue, ignore_result=True)
    assert workers.wait(job).state == State.SUCCEEDED
