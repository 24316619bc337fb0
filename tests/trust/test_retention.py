"""What is deleted when it is long past, what is not, and that Verify can tell this from a removal by other hands."""

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from console.activity.models import Entry
from console.jobs.models import Job
from console.lib import clock
from console.lib.actor import Actor
from console.servers.models import Server
from keys.models.subordinate import Subordinate
from settings_store import store
from settings_store.catalogue import Scope
from tests.keys.conftest import ALICE
from tests.trust import rows
from trust import batches, retention
from trust.actions import Action
from trust.models.certificates import Batch, Certificate
from trust.models.clients import Client, ClientState
from trust.models.documents import SignedDocument
from trust.models.questions import Question
from trust.wire.documents import Directive, TrustList, encode

pytestmark = pytest.mark.django_db

NOW = clock.now()
DAY = timedelta(days=1)
LONG_AGO = NOW - 500 * DAY


@pytest.fixture
def issuer(server: Server) -> Subordinate:
    return rows.intermediate(rows.root(server, 0))


@pytest.fixture
def closed(server: Server, issuer: Subordinate) -> Callable[..., Batch]:
    """Issue a certificate to each of some clients at a time, and close the batch then."""

    def close(*clients: Client, at: Any = LONG_AGO) -> Batch:
        for client in clients:
            rows.certificate(client, issuer, issued_at=at)
        batch = batches.close(server, actor=Actor.system())
        assert batch
        Batch.objects.filter(pk=batch.pk).update(closed_at=at)
        return batch

    return close


Close = Callable[..., Batch]


def test_a_batch_goes_when_all_of_it_is_past_and_verify_knows(server: Server, closed: Close) -> None:
    pc, away = rows.client(server, "pc"), rows.client(server, "away")
    first, second = closed(pc), closed(pc)
    lasts = closed(pc, away)  # the key that `away` has is its way back
    recent = closed(pc, at=NOW - 401 * DAY)  # ended 394 days ago
    assert retention.delete_certificates(server, NOW) == (2, 2)
    assert set(Batch.objects.all()) == {lasts, recent}
    assert Certificate.objects.filter(client=away).count() == 1
    entry = Entry.objects.get(action=Action.CERTIFICATES_DELETED)
    told = json.loads(entry.details)
    assert (told["certificates"], told["batches"]) == (2, 2)
    assert told["batch numbers"] == f"{first.pk}-{second.pk}"
    assert list(batches.findings()) == []
    assert retention.delete_certificates(server, NOW) == (0, 0)
    Client.objects.filter(pk=away.pk).update(state=ClientState.REVOKED, revoked_at=NOW)
    assert retention.delete_certificates(server, NOW) == (1, 2)
    # What other hands remove is found as before, and so is what comes back.
    Certificate.objects.all().delete()
    recent.delete()
    Batch.objects.create(pk=first.pk, server=server, count=1, merkle_root=first.merkle_root, closed_at=LONG_AGO)
    found = list(batches.findings())
    assert [sentence for sentence in found if "its row was removed" in sentence]
    assert [sentence for sentence in found if "is there again" in sentence]


def test_what_was_changed_is_kept_as_evidence(server: Server, closed: Close) -> None:
    pc = rows.client(server, "pc")
    changed, _last = closed(pc), closed(pc, at=NOW)
    Certificate.objects.filter(batch=changed).update(der=b"other")
    assert retention.delete_certificates(server, NOW) == (0, 0)
    assert [sentence for sentence in batches.findings() if "not those that were issued" in sentence]


def test_the_setting_says_how_long_and_zero_is_for_ever(server: Server, closed: Close) -> None:
    pc = rows.client(server, "pc")
    closed(pc, at=NOW - 50 * DAY)
    closed(pc, at=NOW - 20 * DAY)  # ended 13 days ago
    closed(pc, at=NOW)
    row = store.change(retention.SETTING, "0", scope=Scope.GLOBAL, seen="default", actor=ALICE)
    assert row
    assert retention.delete_certificates(server, NOW) == (0, 0)
    store.change(retention.SETTING, "1", scope=Scope.GLOBAL, seen=row.token, actor=ALICE)
    assert retention.delete_certificates(server, NOW) == (1, 1)


def test_many_go_in_parts_each_with_its_entry(server: Server, closed: Close, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "MOST_CERTIFICATES", 4)
    monkeypatch.setattr(batches, "CHUNK", 2)
    clients = [rows.client(server, f"pc-{number}") for number in range(3)]
    for _ in range(5):
        closed(*clients[:2])
    closed(*clients, at=NOW)
    assert retention.delete_certificates(server, NOW) == (5, 10)
    assert Entry.objects.filter(action=Action.CERTIFICATES_DELETED).count() == 3
    assert list(batches.findings()) == []


def test_documents_go_ninety_days_after_anybody_could_take_them(
    server: Server, run_jobs: Callable[..., list[Job]]
) -> None:
    def signed(kind: str, sequence: int, *, days: int, audience: str = "*", trust_list: int = 0) -> SignedDocument:
        at = NOW - days * DAY
        expires_at = None if kind == "trust-list" else at + 7 * DAY
        said: Any = TrustList(
            server="s", audience=audience, sequence=sequence, issued_at=at, roots=(), crosses=(), revoked=()
        )
        if kind == "directive":
            said = Directive(
                server="s", audience=audience, sequence=sequence, issued_at=at, order="reset-trust",
                trust_list=trust_list,
            )  # fmt: skip
        return SignedDocument.objects.create(
            server=server, kind=kind, audience=audience, sequence=sequence, digest="0" * 64, payload=encode(said),
            signature=b"s", signer_der=b"d", created_at=at, expires_at=expires_at,
        )  # fmt: skip

    gone = [
        signed("trust-list", 1, days=200),
        signed("settings", 2, days=98),
        signed("directive", 3, days=99, audience="one-client", trust_list=1),
        signed("question", 4, days=120),
    ]
    kept = [
        signed("trust-list", 5, days=150),  # the order below stands on it
        signed("trust-list", 6, days=140),
        signed("settings", 7, days=96),
        signed("settings", 8, days=95),
        signed("directive", 9, days=120, trust_list=5),
        signed("question", 10, days=120),
        signed("question", 11, days=120),
    ]
    Question.objects.create(
        server=server, kind="using-tls", asked_by="alice", asked_at=NOW, closes_at=NOW, document=kept[-2]
    )
    # Of one run: an order that goes keeps the list it stood on for the time being.
    assert retention.delete_documents(server, NOW) == len(gone) - 1
    assert retention.delete_documents(server, NOW) == 1
    assert set(SignedDocument.objects.all()) == set(kept)
    assert retention.delete_documents(server, NOW) == 0
    assert Entry.objects.filter(action=Action.DOCUMENTS_DELETED).count() == 2
