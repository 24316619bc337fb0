"""What is forgotten of clients, and what is not."""

from datetime import timedelta
from typing import Any

import pytest

from console.activity.models import Entry
from console.lib import clock
from console.servers.models import Server
from tests.trust import rows
from trust.actions import Action
from trust.clients import forgetting
from trust.models.clients import Client, ClientState, PendingEnrolment, RegistrationChange
from trust.models.questions import Answer, Question

pytestmark = pytest.mark.django_db

NOW = clock.now()
DAY = timedelta(days=1)


def named(server: Server, name: str, *, since: timedelta, silent: timedelta, **columns: Any) -> Client:
    times = {"created_at": NOW - since, "last_seen": NOW - silent}
    return rows.client(server, name, **{"authenticated": False, **times, **columns})


def test_made_up_names_do_not_stay(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forgetting, "CHUNK", 2)
    for number in range(5):
        made_up = named(server, f"made-up-{number}", since=2 * DAY, silent=2 * DAY - timedelta(minutes=9))
        RegistrationChange.objects.create(client=made_up, at=NOW, using_tls=False, protocol=314)
    named(server, "gone", since=90 * DAY, silent=31 * DAY)
    kept = [
        named(server, "away", since=90 * DAY, silent=29 * DAY),
        named(server, "new", since=timedelta(hours=2), silent=timedelta(hours=2)),
        named(server, "proven", since=90 * DAY, silent=80 * DAY, authenticated=True),
        named(server, "revoked", since=90 * DAY, silent=80 * DAY, state=ClientState.REVOKED, revoked_at=NOW - 70 * DAY),
    ]
    assert forgetting.forget(server, NOW) == (6, 0)
    assert {client.name for client in Client.objects.all()} == {client.name for client in kept}
    entries = Entry.objects.filter(action=Action.CLIENTS_FORGOTTEN)
    assert entries.count() == 3
    assert forgetting.forget(server, NOW) == (0, 0)
    assert entries.count() == 3


def test_a_key_that_asks_no_more_waits_no_more(server: Server) -> None:
    client = named(server, "pc", since=90 * DAY, silent=timedelta(), authenticated=True)
    for number, days in enumerate((8, 1)):
        PendingEnrolment.objects.create(
            client=client, spki_fingerprint=f"{number:064x}", first_at=NOW - 9 * DAY, last_at=NOW - days * DAY
        )
    assert forgetting.forget(server, NOW) == (0, 1)
    assert PendingEnrolment.objects.get().spki_fingerprint == f"{1:064x}"


def test_old_answers_go_with_their_questions(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forgetting, "CHUNK", 2)
    clients = [named(server, f"pc-{number}", since=DAY, silent=timedelta(), authenticated=True) for number in range(3)]
    for days in (91, 89):
        closed = NOW - days * DAY
        question = Question.objects.create(
            server=server, kind="using-tls", asked_by="alice", asked_at=closed - DAY, closes_at=closed
        )
        for client in clients:
            Answer.objects.create(question=question, client=client, at=closed, value="Yes")
    assert forgetting.forget_answers(server, NOW) == 3
    assert [row.closes_at for row in Question.objects.all()] == [NOW - 89 * DAY]
    assert Answer.objects.count() == 3
    assert forgetting.forget_answers(server, NOW) == 0
