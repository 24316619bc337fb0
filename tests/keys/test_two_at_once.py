"""Two administrators, two workers and two beats at once: each thing happens once."""

import shutil
import threading
import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection

from console.activity.models import Entry
from console.jobs.models import Job, State
from console.lib import clock
from console.lib.errors import ConsoleError
from console.servers.models import Server
from keys import revocation, revoking, roots, saga
from keys.actions import Action
from keys.creation import RootCreation
from keys.errors import FencedError
from keys.jobs import DESTROY_KEY, REVOKE_ROOT
from keys.models.root import RevocationReason, Root, RootState
from keys.models.statements import Directive
from keys.revocation import Plan
from keys.standing import Standing
from tests.fixtures.processes import Workers, wait_for
from tests.keys.conftest import ALICE, BOB

pytestmark = pytest.mark.django_db(transaction=True)

MakeRoot = Callable[..., Root]


def at_once(*calls: Callable[[], Any]) -> list[Any]:
    """Run the calls in threads that start together; return each one's result, or the error it raised."""
    barrier = threading.Barrier(len(calls))
    results: list[Any] = [None] * len(calls)

    def run(place: int, call: Callable[[], Any]) -> None:
        barrier.wait()
        try:
            results[place] = call()
        except ConsoleError as error:
            results[place] = error
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=pair) for pair in enumerate(calls)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return results


def plan(root: Root, due_in: timedelta | None = None) -> Plan:
    seen = revocation.digest(revocation.consequences(root, Standing.read(root.server)))
    return Plan(RevocationReason.POLICY, "", seen, clock.now() + due_in if due_in else None)


def test_two_administrators_create_at_once(server: Server) -> None:
    results = at_once(
        *(lambda actor=actor: roots.request(actor=actor, form_token=uuid.uuid4()) for actor in (ALICE, BOB))
    )
    assert sorted(isinstance(result, ConsoleError) for result in results) == [False, True]
    assert Root.objects.count() == 1
    assert Entry.objects.filter(outcome="refused").count() == 1


def test_one_form_sent_twice_at_once(server: Server) -> None:
    token = uuid.uuid4()
    results = at_once(*(lambda: roots.request(actor=ALICE, form_token=token) for _ in range(2)))
    assert sorted(isinstance(result, ConsoleError) for result in results) == [False, True]
    assert Root.objects.count() == 1


def test_two_attempts_at_one_root_make_one_key(server: Server, softhsm: Any, use_token: Callable[..., None]) -> None:
    token = softhsm.token("root-token")
    use_token(token, "Root")
    root, _ = roots.request(actor=ALICE, form_token=uuid.uuid4())
    results = at_once(*(lambda: RootCreation(root.pk, actor=ALICE).run() for _ in range(2)))
    assert any(isinstance(result, FencedError) for result in results) or results[0] == results[1]
    root.refresh_from_db()
    assert root.state == RootState.ACTIVE
    assert softhsm.objects(token).count("Private Key Object") == 1


def test_an_attempt_that_was_taken_over_writes_nothing(server: Server) -> None:
    root, _ = roots.request(actor=ALICE, form_token=uuid.uuid4())
    slow = Root.objects.get(pk=root.pk)
    saga.take(root, (RootState.REQUESTED,))
    with pytest.raises(FencedError):
        saga.write(slow, (RootState.REQUESTED,), state=RootState.FAILED)
    root.refresh_from_db()
    assert (root.state, root.attempt) == (RootState.REQUESTED, 1)


def test_the_last_two_keys_are_not_both_revoked(make_root: MakeRoot) -> None:  # KEY-24
    first, second = make_root(), make_root()
    third = make_root()
    plans = {root.pk: plan(root) for root in (first, second, third)}
    results = at_once(
        *(lambda root=root: revocation.request(root, plans[root.pk], actor=ALICE) for root in (second, third))
    )
    assert sum(isinstance(result, Job) for result in results) <= 1
    orders = [revoking.Order(RevocationReason.POLICY, "", uuid.uuid4()) for _ in range(3)]
    at_once(
        *(
            lambda root=root, order=order: revoking.revoke(root.pk, order, actor=ALICE)
            for root, order in zip((first, second, third), orders, strict=True)
        )
    )
    left = Root.objects.filter(state=RootState.ACTIVE)
    assert third in left
    assert Directive.objects.count() == Root.objects.filter(state=RootState.REVOKED).count()


def test_one_revocation_run_twice_at_once_happens_once(make_root: MakeRoot) -> None:  # MIS-10
    old, _new = make_root(), make_root()
    order = revoking.Order(RevocationReason.POLICY, "", uuid.uuid4())
    at_once(*(lambda: revoking.revoke(old.pk, order, actor=ALICE) for _ in range(2)))
    old.refresh_from_db()
    assert old.state == RootState.REVOKED
    assert Entry.objects.filter(action=Action.ROOT_REVOKED, outcome="succeeded").count() == 1
    assert Directive.objects.filter(root=old).count() == 1
    assert Job.objects.filter(kind_name=DESTROY_KEY.name).count() == 1


@pytest.mark.slow
def test_due_while_worker_and_broker_are_down_then_two_of_each(
    make_root: MakeRoot, workers: Workers, broker: Any
) -> None:  # MIS-10, STK-04
    old, _new = make_root(), make_root()
    broker.kill()
    shutil.rmtree(broker.state.broker / "appendonlydir")
    job = revocation.request(old, plan(old, timedelta(seconds=2)), actor=BOB)
    wait_for(lambda: clock.now() > job.due_at, what="the due time")
    broker.start()
    workers.worker("worker-1")
    workers.worker("worker-2")
    workers.beat("beat-1")
    workers.beat("beat-2")
    workers.wait(job)

    def is_destroyed() -> bool:
        old.refresh_from_db()
        return old.destroyed_at is not None

    wait_for(is_destroyed, what="the destruction of the private key")
    assert (job.state, old.state) == (State.SUCCEEDED, RootState.REVOKED)
    assert job.attempts == 1
    assert Entry.objects.filter(action=Action.ROOT_REVOKED).count() == 1
    entry = Entry.objects.get(action=Action.ROOT_REVOKED)
    assert (entry.actor_kind, entry.planned_by) == ("system", "bob")
    assert Entry.objects.filter(action=Action.ROOT_DESTROYED).count() == 1
    assert Job.objects.filter(kind_name=REVOKE_ROOT.name).count() == 1
