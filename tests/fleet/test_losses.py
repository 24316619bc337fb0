"""Whatever is lost on the way, and wherever a machine loses its power: every client gets there, once, on record."""

from collections.abc import Callable, Iterable
from datetime import timedelta
from itertools import product

import pytest

from console.lib.actor import Actor
from keys.models.root import Root
from tests.fixtures.listener import Listener
from tests.fixtures.processes import wait_for
from tests.fleet.conftest import Publish
from tests.fleet.simulator import Fleet, Loss, Member
from trust import batches
from trust.models.certificates import Certificate
from trust.models.clients import Client

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

# A first enrolment and registration: CA certificates, CSR attributes, CSR, registration. A rotation takes more.
REQUESTS = 4


def are_on_record(members: Iterable[Member]) -> None:
    """See that each client has what the server wrote down, and that the log has all of it."""
    rows = list(Certificate.objects.select_related("client", "issuer__server"))
    by_der = {bytes(row.der): row.client.name for row in rows}
    for member in members:
        identity = member.agent.state.identity
        assert identity, member.log
        assert by_der[identity.certificate] == member.name
    server = rows[0].issuer.server
    batches.close_all(server, actor=Actor.system())
    assert not Certificate.objects.filter(batch=None).exists()
    assert list(batches.findings()) == []


def test_a_request_an_answer_or_the_power_is_lost_at_each_step(
    fleet: Fleet, listener: Listener, make_root: Callable[..., Root], publish: Publish
) -> None:  # DESIGN §5: nothing twice, nothing forgotten
    places = list(product(Loss, range(REQUESTS)))
    members = fleet.begin(*(f"{loss.name.lower().replace('_', '-')}-{place}.example" for loss, place in places))

    def lose(loss: Loss, place: int) -> list[Loss | None]:
        return [*[None] * place, loss]

    for member, (loss, place) in zip(members, places, strict=True):
        member.line.losses = lose(loss, place)
    assert all(fleet.each(Member.contact)), [member.log for member in members if not member.line.registered]
    assert not any(member.line.losses for member in members)
    are_on_record(members)
    assert Certificate.objects.count() == len(members)  # a request that is sent again gets the same one

    new = make_root()
    publish()
    for member, (loss, place) in zip(members, places, strict=True):
        member.line.losses = lose(loss, place)
    assert all(fleet.each(lambda member: member.until(lambda: member.root == new.fingerprint)))
    assert all(fleet.each(Member.contact))
    are_on_record(members)
    assert Certificate.objects.count() == 2 * len(members)
    wait_for(lambda: Client.objects.filter(root=new).count() == len(members), what="the rows of all clients")


def test_half_the_fleet_at_once_a_listener_that_dies_and_clocks_that_are_wrong(
    fleet: Fleet, listener: Listener
) -> None:
    members = fleet.begin(*(f"pc-{number:02}.example" for number in range(24)))
    for member, skew in zip(members, (timedelta(days=1), timedelta(days=-1), timedelta()), strict=False):
        member.clock.skew = skew
        member.revive()

    with fleet.at_once(Member.contact, members[:12]):
        wait_for(lambda: Certificate.objects.count() >= 4, what="the first certificates")
        listener.kill()
        listener.start()
    assert all(fleet.each(lambda member: member.line.registered or member.contact()))
    are_on_record(members)
    for member in members[:2]:
        ahead_s = member.agent.state.clock_ahead_s
        assert abs(ahead_s) > 70_000
        assert abs(ahead_s - member.clock.skew.total_seconds()) < 3600
