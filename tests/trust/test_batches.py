"""Certificates under the activity log: batches, and what Verify finds when rows and entries disagree."""

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from console.activity import verification
from console.activity.models import Entry
from console.jobs.models import Job
from console.lib import clock
from console.lib.actor import Actor
from console.servers.models import Server
from keys.models.subordinate import Subordinate
from tests.trust import rows
from trust import batches, merkle
from trust.actions import Action
from trust.models.certificates import Batch, Certificate

pytestmark = pytest.mark.django_db

SYSTEM = Actor.system()


@pytest.fixture
def issuer(server: Server) -> Subordinate:
    return rows.intermediate(rows.root(server, 0))


@pytest.fixture
def issue(server: Server, issuer: Subordinate) -> Callable[[int], list[Certificate]]:
    client = rows.client(server, "pc-1.example.com")

    def some(number: int) -> list[Certificate]:
        return [rows.certificate(client, issuer) for _ in range(number)]

    return some


Issue = Callable[[int], list[Certificate]]


def test_one_entry_stands_for_many_certificates(server: Server, issue: Issue, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batches, "MOST", 4)
    made = issue(10)
    assert batches.close_all(server, actor=SYSTEM) == (3, 10)
    assert batches.close_all(server, actor=SYSTEM) == (0, 0)
    entries = [json.loads(entry.details) for entry in Entry.objects.filter(action=Action.BATCH_CLOSED).order_by("seq")]
    assert [entry["certificates"] for entry in entries] == [4, 4, 2]
    assert entries[0]["Merkle root"] == merkle.root(bytes(one.der) for one in made[:4])[0]
    assert not Certificate.objects.filter(batch__isnull=True).exists()
    assert list(batches.findings()) == []


def test_a_row_that_commits_late_comes_into_a_later_batch(server: Server, issue: Issue) -> None:
    late, *others = issue(3)
    Certificate.objects.filter(pk=late.pk).delete()  # not committed yet, though its id is lower
    first = batches.close(server, actor=SYSTEM)
    assert first is not None
    assert first.count == 2
    late.save(force_insert=True)
    second = batches.close(server, actor=SYSTEM)
    assert second is not None
    assert second.count == 1
    assert Certificate.objects.get(pk=late.pk).batch == second
    assert {one.batch for one in Certificate.objects.exclude(pk=late.pk)} == {first}
    assert len(others) == 2
    assert list(batches.findings()) == []


@pytest.mark.parametrize(
    ("harm", "found"),
    [
        (lambda: Certificate.objects.filter(pk=Certificate.objects.first().pk).update(der=b"other"), "not those"),  # type: ignore[union-attr]
        (lambda: Certificate.objects.filter(pk=Certificate.objects.first().pk).delete(), "not those"),  # type: ignore[union-attr]
        (lambda: Batch.objects.update(merkle_root="0" * 64), "does not say what its entry"),
        (lambda: (Certificate.objects.all().delete(), Batch.objects.all().delete()), "its row was removed"),
        (lambda: Batch.objects.create(pk=77, server=Server.objects.get(), count=0, merkle_root=merkle.root([])[0],
                                      closed_at=clock.now()), "has no entry in the log"),
    ],
)  # fmt: skip
def test_verify_finds_what_was_changed(server: Server, issue: Issue, harm: Callable[[], Any], found: str) -> None:
    issue(3)
    batches.close_all(server, actor=SYSTEM)
    assert verification.verify(set()).weaknesses == []
    harm()
    assert any(found in weakness for weakness in batches.findings())


def test_verify_names_a_certificate_that_waits_for_too_long(
    server: Server, issuer: Subordinate, run_jobs: Callable[..., list[Job]]
) -> None:
    client = rows.client(server, "pc-2.example.com")
    rows.certificate(client, issuer)
    assert list(batches.findings()) == []
    smuggled = rows.certificate(client, issuer, issued_at=clock.now() - timedelta(seconds=61))
    report = verification.verify(set())
    assert [weakness for weakness in report.weaknesses if smuggled.serial in weakness]
    assert report.verdict == "weakened"
