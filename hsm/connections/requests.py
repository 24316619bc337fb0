"""Ask the worker to test connections. A test that waits is not asked for twice; one that runs has read its rows."""

from datetime import timedelta

from django.db import transaction

from console.activity import log
from console.activity.models import Outcome
from console.jobs import queue
from console.jobs.models import WAITING, Job
from console.lib import clock
from console.lib.actor import Actor
from hsm.actions import Action
from hsm.jobs import TEST_CONNECTIONS
from hsm.models.groups import Connection, Group

AUTOMATIC_EVERY = timedelta(seconds=30)


def request_test(about: Group | Connection, *, actor: Actor) -> Job:
    """Test one connection, or all of a group; in the caller's transaction or its own."""
    with transaction.atomic():
        if waiting := _waiting_test(about):
            return waiting
        return queue.enqueue(TEST_CONNECTIONS, subject=about.subject, actor=actor)


def ask_for_test(about: Group | Connection, *, actor: Actor) -> Job:
    """Test because somebody pressed the button: that leaves an entry."""
    with transaction.atomic():
        job = request_test(about, actor=actor)
        log.append(Action.CONNECTION_TEST_REQUESTED, about.subject, actor=actor, outcome=Outcome.REQUESTED)
    return job


def test_by_itself(group: Group, *, actor: Actor) -> Job | None:
    """Test all connections because the HSM tab was opened (GRP-31), at most every 30 seconds."""
    with transaction.atomic():
        newest = Job.objects.filter(kind_name=TEST_CONNECTIONS.name, subject_id=str(group.pk)).first()
        if newest and (newest.is_open or clock.now() - newest.created_at < AUTOMATIC_EVERY):
            return newest if newest.is_open else None
        return queue.enqueue(TEST_CONNECTIONS, subject=group.subject, actor=actor)


def _waiting_test(about: Group | Connection) -> Job | None:
    """Return the test that will see the connection as it is now: what a running one finds may be about another PIN."""
    waiting = Job.objects.filter(kind_name=TEST_CONNECTIONS.name, subject_id=str(about.pk), state__in=WAITING)
    return waiting.first()
