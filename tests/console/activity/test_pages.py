"""STK-06, LOG-01: the grid of everything, its filters, one entry, and Verify as a job."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext

from console.activity import headfile, heads, log
from console.activity.models import Entry, Outcome
from console.jobs.models import Job, State
from console.lib import clock, moment
from console.lib.actor import Actor
from console.lib.errors import UnavailableError
from console.lib.subject import Subject
from console.servers.models import Server
from tests.console.activity.conftest import Intruder, LogKey

Append = Callable[[int], list[Entry]]
RunJobs = Callable[..., list[Job]]


def text(client: Client, url: str, **query: str) -> str:
    answer = client.get(url, query)
    assert answer.status_code == 200
    return answer.content.decode()


@pytest.fixture
def entries(append: Append, server: object) -> list[Entry]:
    found = append(3)
    with transaction.atomic():
        scheduler = Actor.system(planned_by="ann")
        found.append(log.append("jobs.lost", Subject("job", "9", "<Revoke>"), actor=scheduler, outcome=Outcome.UNKNOWN))
    return found


def grid(page: str) -> str:
    return page.partition('id="grid"')[2]


def test_newest_first_with_labels_who_and_outcome(auditor_client: Client, entries: list[Entry]) -> None:
    page = grid(text(auditor_client, "/activity/"))
    assert page.index("Job lost its worker") < page.index("ts1 Root 2") < page.index("ts1 Root 0")
    assert "planned by ann" in page
    assert "&lt;Revoke&gt;" in page
    assert "Unknown" in page


@pytest.mark.parametrize(
    ("query", "shown", "hidden"),
    [
        ({"actor": "ann"}, "ts1 Root 0", "Revoke"),
        ({"actor": "an"}, "No entry matches", "ts1 Root 0"),
        ({"action": "jobs.lost"}, "Revoke", "ts1 Root 0"),
        ({"subject": "root 1"}, "ts1 Root 1", "ts1 Root 2"),
        ({"outcome": "unknown"}, "Revoke", "ts1 Root 0"),
        ({"until": "2020-01-01T00:00"}, "Clear all filters", "ts1 Root 0"),
        ({"since": "2020-01-01"}, "ts1 Root 0", "No entry matches"),
        ({"subject_kind": "root-key", "subject_id": "1"}, "ts1 Root 1", "ts1 Root 2"),
        ({"actor": "ann", "subject": "Root 2", "outcome": "succeeded"}, "ts1 Root 2", "ts1 Root 1"),
    ],
)
def test_filters(auditor_client: Client, entries: list[Entry], query: dict[str, str], shown: str, hidden: str) -> None:
    page = grid(text(auditor_client, "/activity/", **query))
    assert shown in page
    assert hidden not in page


def test_the_server_is_a_filter(auditor_client: Client, entries: list[Entry], server: Any) -> None:
    assert "ts1 Root 0" in grid(text(auditor_client, "/activity/", server=server.fqdn))


def test_a_filter_that_does_not_hold_is_named(auditor_client: Client, entries: list[Entry]) -> None:
    page = text(auditor_client, "/activity/", since="yesterday", outcome="nice")
    assert "The filter is not used" in page
    assert moment.SAID in page
    assert "“nice” is not one of the choices" in page


def test_pages_by_key(auditor_client: Client, append: Append) -> None:
    append(60)
    first = auditor_client.get("/activity/", {"actor": "ann"})
    cursor = first.context["page"].next
    with CaptureQueriesContext(connection) as queries:
        second = auditor_client.get("/activity/", {"actor": "ann", "at": cursor}, headers={"HX-Request": "true"})
    page = second.content.decode()
    assert "ts1 Root 9<" in page
    assert "ts1 Root 10<" not in page
    assert page.lstrip().startswith('<div id="grid"')
    assert not any("COUNT(" in query["sql"] for query in queries)
    broken = auditor_client.get("/activity/", {"at": cursor + "x"})
    assert broken.status_code == 422
    assert "from its first page" in broken.content.decode()


def test_an_entry_shows_everything_and_what_proves_it(auditor_client: Client, append: Append, log_key: LogKey) -> None:
    entry = append(1)[0]
    page = text(auditor_client, f"/activity/{entry.seq}/")
    assert "Fits what the entry says" in page
    assert "chained only" in page
    log_key.sign()
    append(1)
    page = text(auditor_client, f"/activity/{entry.seq}/")
    assert f"Covered by the head signed at entry {Entry.objects.count() - 1}" in page
    for part in (entry.hash[:4], "number", "ann", "test.done", "root-key"):
        assert part in page


def test_a_changed_entry_says_so(auditor_client: Client, append: Append, intruder: Intruder) -> None:
    entry = append(1)[0]
    intruder.change(entry.seq, actor="mallory")
    page = text(auditor_client, f"/activity/{entry.seq}/")
    assert "This entry was changed" in page


@pytest.mark.parametrize("seq", ["999999", "9" * 30])
def test_an_unknown_entry_is_a_404(auditor_client: Client, seq: str) -> None:
    assert auditor_client.get(f"/activity/{seq}/").status_code == 404


def test_nobody_without_a_role_reads_the_log(user_client: Client, client: Client, append: Append) -> None:
    append(1)
    for url in ("/activity/", "/activity/1/", "/activity/verify/", "/activity/export/"):
        assert user_client.get(url).status_code == 403
        assert client.get(url).status_code == 302


@pytest.fixture
def trusted(log_key: LogKey, monkeypatch: pytest.MonkeyPatch) -> LogKey:
    monkeypatch.setattr(heads, "_trusted", [lambda: [log_key.spki]])
    return log_key


def verified(client: Client, run_jobs: RunJobs) -> Job:
    assert client.post("/activity/verify/").status_code == 302
    return run_jobs()[0]


def test_verify_runs_as_a_job_that_an_auditor_may_start(
    auditor_client: Client, append: Append, trusted: LogKey, run_jobs: RunJobs
) -> None:
    append(3)
    proven = trusted.sign()
    append(2)
    job = verified(auditor_client, run_jobs)
    assert (job.state, job.done) == (State.SUCCEEDED, job.total)
    assert (
        job.message
        == f"Nothing was changed up to entry {proven}, the last signed head. 2 newer entries are chained only."
    )
    entry = Entry.objects.get(action="activity-log.verified")
    assert (entry.actor, entry.outcome) == ("olga", "succeeded")
    page = text(auditor_client, "/activity/verify/")
    assert "Intact" in page
    assert "chained only" in page


def test_a_log_that_was_changed_fails_the_job_and_names_the_entry(
    auditor_client: Client, append: Append, trusted: LogKey, run_jobs: RunJobs, intruder: Intruder
) -> None:
    bad = append(3)[1]
    intruder.change(bad.seq, actor="mallory")
    job = verified(auditor_client, run_jobs)
    assert (job.state, job.error_code) == (State.FAILED, "ALTERED")
    assert f"Entry {bad.seq} was changed" in job.message
    assert Entry.objects.get(action="activity-log.verified").outcome == "failed"
    page = text(auditor_client, "/activity/verify/")
    assert f"The first bad entry is {bad.seq}" in page
    assert "Altered" in page
    lines = (headfile.path().parent / "pki.log").read_text()
    assert 'ERROR activity log-verified subject="activity log" result="altered"' in lines


def test_log_keys_that_cannot_be_read_are_said(
    auditor_client: Client, append: Append, trusted: LogKey, run_jobs: RunJobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    def locked() -> list[bytes]:
        raise UnavailableError("pki.db does not open.")

    append(1)
    monkeypatch.setattr(heads, "_trusted", [locked])
    job = verified(auditor_client, run_jobs)
    assert (job.state, job.error_code) == (State.FAILED, "WEAKENED")
    assert "pki.db does not open." in job.message


def test_pressing_verify_twice_starts_one(auditor_client: Client, server: Server) -> None:
    for _ in range(2):
        auditor_client.post("/activity/verify/")
    assert Job.objects.filter(kind_name="activity.verify").count() == 1
    assert "Verify activity log" in text(auditor_client, "/activity/verify/")


def test_time_filter_is_exact(auditor_client: Client, entries: list[Entry]) -> None:
    later = (clock.now() + timedelta(minutes=5)).strftime("%Y-%m-%dT%H:%M")
    assert "ts1 Root 0" not in grid(text(auditor_client, "/activity/", since=later))
