"""Kill -9 of listener, worker and broker as real processes, while clients enrol and follow rotation and revocation."""

import os
import signal
import uuid

import pytest
from django.db.models import QuerySet

from console.activity.models import Entry
from console.jobs import sweeping
from console.jobs.actions import Action
from console.jobs.models import OPEN, Job, State
from console.lib import clock
from console.servers.models import Server
from keys import revocation, roots
from keys.models.root import Root, RootState
from tests.fixtures.listener import Listener
from tests.fixtures.processes import Broker, Process, Workers, wait_for
from tests.fleet.simulator import Fleet, Member
from tests.fleet.test_losses import are_on_record
from tests.keys.conftest import ALICE
from tests.keys.test_revocation import plan
from trust.models.certificates import Certificate
from trust.publishing import publishing

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow, pytest.mark.one_database]


def at_work() -> QuerySet[Job]:
    return Job.objects.filter(state=State.RUNNING)


def kill_at_work(worker: Process) -> None:
    """Kill a worker with all its processes while a job runs; the lease of that job ends now."""
    assert worker.running
    group = worker.running.pid

    def is_caught() -> bool:
        os.killpg(group, signal.SIGSTOP)
        if at_work().exists():
            return True
        os.killpg(group, signal.SIGCONT)
        return False

    wait_for(is_caught, what="a job at work", every_s=0.01)
    os.killpg(group, signal.SIGKILL)
    worker.running.wait()
    assert at_work().update(lease_until=clock.now())


def settle(server: Server) -> None:
    """Do as beat does until nothing is left to do; a message counts as lost at once."""

    def is_done() -> bool:
        sweeping.settle_lost(server, clock.now())
        sweeping.start_due(server, clock.now())
        sweeping.resend(server, clock.now() + sweeping.RESEND_AFTER)
        return not Job.objects.filter(state__in=OPEN).exists()

    wait_for(is_done, what="the end of all jobs", every_s=0.3)


def test_listener_worker_and_broker_are_killed(
    workers: Workers, broker: Broker, fleet: Fleet, listener: Listener
) -> None:
    assert listener.server
    server, old = listener.server, Root.objects.get(number=0)
    members = fleet.begin(*(f"pc-{number}.example" for number in range(6)))
    worker = workers.worker()

    def publish() -> None:
        publishing.start_due(server)
        settle(server)
        listener.file()

    with fleet.at_once(Member.contact, members):
        wait_for(Certificate.objects.exists, what="the first certificate")
        listener.kill()
        broker.kill()
        listener.start()
    broker.start()
    assert all(fleet.each(lambda member: bool(member.line.registered) or member.contact()))

    new, _ = roots.request(actor=ALICE, form_token=uuid.uuid4())
    kill_at_work(worker)
    worker = workers.worker("second")
    settle(server)
    new.refresh_from_db()
    assert new.state == RootState.ACTIVE
    publish()
    assert all(fleet.each(lambda member: member.until(lambda: member.root == new.fingerprint)))

    revocation.request(old, plan(old), actor=ALICE)
    kill_at_work(worker)
    broker.kill()
    broker.start()
    workers.worker("third")
    settle(server)
    old.refresh_from_db()
    assert old.state == RootState.REVOKED
    publish()
    assert all(fleet.each(lambda member: member.until(lambda: set(member.agent.state.roots) == {new.fingerprint})))

    are_on_record(members)
    assert Certificate.objects.count() == 2 * len(members)  # one for each request, whatever was lost
    assert Entry.objects.filter(action=Action.LOST).count() >= 2
