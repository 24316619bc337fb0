"""Kill -9 of the worker in the middle of what it tells clients, and a database that goes away while they enrol."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from django.db import connection

from console.jobs import queue, sweeping
from console.jobs.models import OPEN, Job
from console.lib import clock
from console.lib.actor import Actor
from keys import revocation
from keys.models.root import Root
from tests.fixtures.listener import Listener
from tests.fixtures.processes import wait_for
from tests.fleet.conftest import Publish
from tests.fleet.simulator import Fleet, Member
from tests.fleet.test_losses import are_on_record
from tests.keys.conftest import ALICE
from tests.keys.test_revocation import plan
from tests.trust.agent import reference
from trust.jobs import BATCH, SIGN_DOCUMENTS
from trust.models.certificates import Certificate
from trust.publishing import publishing

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

RunKilled = Callable[[Job, str, str], None]


@pytest.fixture
def killed(
    listener: Listener, run_killed: RunKilled, run_jobs: Callable[..., list[Job]], monkeypatch: pytest.MonkeyPatch
) -> Callable[[Job, str, str], None]:
    """Return a function that kills the worker at a point of a job, and lets time pass until the job has ended."""
    real = clock.now

    def kill(job: Job, point: str, when: str) -> None:
        run_killed(job, point, when)
        assert listener.server
        monkeypatch.setattr("console.lib.clock.now", lambda: real() + timedelta(minutes=20))
        sweeping.settle_lost(listener.server, clock.now())
        run_jobs(due=True)
        monkeypatch.setattr("console.lib.clock.now", real)
        job.refresh_from_db()
        assert job.state not in OPEN, (job.state, job.message)

    return kill


@contextmanager
def no_database() -> Iterator[None]:
    """Keep the listener from its database: its connections end, or nobody else may write."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                           "WHERE datname = current_database() AND pid <> pg_backend_pid()")  # fmt: skip
            assert cursor.fetchall()
        yield
        return
    with closing(sqlite3.connect(Path(connection.settings_dict["NAME"]), isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")


def documents_due(listener: Listener) -> Job:
    """Have the signing of what is due queued, and return its job."""
    assert listener.server
    publishing.start_due(listener.server)
    return Job.objects.get(kind_name=SIGN_DOCUMENTS.name, state__in=OPEN)


def test_the_worker_is_killed_in_a_rotation_and_in_a_revocation(
    fleet: Fleet,
    listener: Listener,
    make_root: Callable[..., Root],
    killed: RunKilled,
    run_jobs: Callable[..., list[Job]],
    publish: Publish,
) -> None:
    members = fleet.begin("here.example", "away.example")
    here, away = members
    assert all(fleet.each(Member.contact))
    old, new = Root.objects.get(number=0), make_root()

    killed(documents_due(listener), "trust.publishing.signing:_sign", "after")
    listener.file()
    assert here.until(lambda: here.root == new.fingerprint)

    revocation.request(old, plan(old), actor=ALICE)
    run_jobs()
    killed(documents_due(listener), "trust.publishing.signing:_store", "after")
    publish()
    for member in members:
        assert member.until(lambda member=member: set(member.agent.state.roots) == {new.fingerprint})  # type: ignore[misc]
        assert member.until(lambda member=member: member.root == new.fingerprint)  # type: ignore[misc]

    assert listener.server
    for when in ("before", "after"):
        away.agent.state.move_at = away.clock()
        assert away.contact()
        job = queue.enqueue(BATCH, subject=listener.server.subject, actor=Actor.system(), server=listener.server)
        killed(job, "trust.batches:_details", when)
    are_on_record(members)


def test_the_database_goes_away_while_clients_enrol(fleet: Fleet, tmp_path: Path) -> None:
    members = fleet.begin(*(f"pc-{number}.example" for number in range(8)))
    (stranger,) = fleet.begin("stranger.example", init_file=reference.Server(reference.Clock()).init_file())

    def sent() -> int:
        return sum(member.line.requests for member in members)

    with fleet.at_once(Member.contact, members):
        wait_for(lambda: sent() >= len(members), what="the first requests")
        with no_database():
            before = sent()
            wait_for(lambda: sent() > before or all(member.line.registered for member in members), what="one more")
    assert all(fleet.each(lambda member: bool(member.line.registered) or member.contact(), members))
    are_on_record(members)
    # A client with the file of another server finds out in the handshake, and says nothing to this one.
    assert not stranger.contact()
    assert "server-not-trusted" in stranger.log
    assert stranger.line.registered == 0
    assert not Certificate.objects.filter(client__name=stranger.name).exists()
