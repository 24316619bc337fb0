"""The numbers of clients, the day's point of TLS adoption, and what Home says of them."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client as HttpClient
from django.test.utils import CaptureQueriesContext

from console.lib import clock
from console.servers.models import Server
from tests.trust import rows
from trust.clients import counting
from trust.clients.status import CONNECTED
from trust.models.clients import NEVER, ClientState, PendingEnrolment
from trust.models.counts import Adoption

pytestmark = pytest.mark.django_db


def test_every_number_and_the_point_of_the_day(server: Server) -> None:
    now = clock.now()
    old, new = rows.root(server, 0), rows.root(server, 1)
    both, one = rows.holding(old, new), rows.holding(old)
    rows.client(server, "here", root=new, holding=both)
    rows.client(server, "away", root=old, holding=one, last_seen=now - timedelta(hours=2))
    rows.client(server, "gone", root=old, holding=one, last_seen=now - timedelta(days=9))
    rows.client(server, "plain", authenticated=False, using_tls=False)
    rows.client(server, "enrolled", last_seen=NEVER)
    rows.client(server, "revoked", state=ClientState.REVOKED, revoked_at=now, root=old)
    waits = rows.client(server, "waits", last_seen=now - timedelta(days=9))
    for key in ("1", "2"):
        PendingEnrolment.objects.create(client=waits, spki_fingerprint=key * 64, first_at=now, last_at=now)
    assert counting.count(server) == 6
    expected = {
        "clients": 6,
        "clients.connected": 2,
        "clients.tls": 4,
        "clients.plain": 1,
        "clients.unauthenticated": 1,
        "clients.pending": 1,
        f"root.{old.fingerprint}": 2,
        f"root.{new.fingerprint}": 1,
        f"holding.{old.fingerprint}": 3,
        f"holding.{new.fingerprint}": 1,
    }
    assert counting.last().values.items() >= expected.items()
    assert [(row.day, row.using_tls, row.unencrypted) for row in Adoption.objects.all()] == [(now.date(), 2, 1)]
    counting.count(server)
    assert Adoption.objects.count() == 1


def test_the_count_asks_the_same_of_many_as_of_few(server: Server) -> None:
    def queries() -> int:
        with CaptureQueriesContext(
            connection,
        ) as seen:
            counting.count(server)
        return len(seen)

    rows.client(server, "host-0", root=rows.root(server, 0))
    first = queries()
    for number in range(1, 20):
        rows.client(server, f"host-{number}")
    assert queries() <= first


def test_home_says_who_is_connected_and_who_dropped(  # HSI-27, NAV-06
    admin_client: HttpClient, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "No client has registered yet" in admin_client.get("/").content.decode()
    rows.client(server, "host-1")
    counting.count(server)
    page = admin_client.get("/").content.decode()
    assert "1 connected: the root keys work" in page
    assert "1 of 1" in page
    later = clock.now() + CONNECTED + timedelta(seconds=1)
    monkeypatch.setattr(clock, "now", lambda: later)
    counting.count(server)
    page = admin_client.get("/").content.decode()
    assert "No client is connected" in page
    assert "0 of 1" in page
