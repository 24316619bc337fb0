"""The export: what the filter takes, in order, safe to open, and only for whoever asked for it."""

import csv
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.test import Client as Browser
from django.urls import reverse

from console.activity.models import Entry
from console.jobs.models import Job
from console.lib import clock, csvfile
from keys.models.root import Root
from tests.trust.clients.status.conftest import MakeClients
from trust.clients import exporting

RunJobs = Callable[..., list[Job]]
EXPORT = "trust:clients-export"


def lines(job: Job) -> list[dict[str, str]]:
    with exporting.EXPORT.path_of(job.pk).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def ask(browser: Browser, run_jobs: RunJobs, **wanted: object) -> Job:
    assert browser.post(reverse(EXPORT), wanted).status_code == 302
    (job,) = [one for one in run_jobs() if one.kind_name == "trust.export-clients"]
    assert job.state == "succeeded", job.message
    return job


def test_what_the_filter_takes_is_written(
    admin_client: Browser, make_clients: MakeClients, old: Root, run_jobs: RunJobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(csvfile, "CHUNK", 3)
    make_clients(*(f"c{number}" for number in range(7)), root=old, last_seen=clock.now() - timedelta(days=1))
    make_clients("plain", authenticated=False, using_tls=False, protocol=314, version="=SUM(A1)")
    job = ask(admin_client, run_jobs)
    written = lines(job)
    assert job.result["rows"] == 8
    assert [one["name"] for one in written] == [*(f"c{number}" for number in range(7)), "plain"]
    assert written[0]["contact"] == "Silent"
    assert written[0]["fingerprint of the root key"] == old.fingerprint
    assert {one["using TLS"] for one in written} == {"Yes", "No, unencrypted"}
    assert written[-1]["version"] == "'=SUM(A1)"
    assert written[-1]["state"] == "Unauthenticated"
    assert [one["name"] for one in lines(ask(admin_client, run_jobs, registered=["none", "plain"]))] == ["plain"]
    assert lines(ask(admin_client, run_jobs, registered="none")) == []
    assert Entry.objects.filter(action="trust.clients.exported").count() == 3


@pytest.mark.one_database
def test_only_who_asked_for_it_takes_it(
    admin_client: Browser, auditor_client: Browser, make_clients: MakeClients, run_jobs: RunJobs
) -> None:
    make_clients("one")
    job = ask(auditor_client, run_jobs)
    address = reverse("trust:clients-download", args=[job.pk])
    assert admin_client.post(address).status_code == 404
    response = auditor_client.post(address)
    assert b"one" in b"".join(response.streaming_content)  # type: ignore[attr-defined]
    assert Entry.objects.filter(action="trust.clients.downloaded").count() == 1
    exporting.EXPORT.path_of(job.pk).unlink()
    assert auditor_client.post(address).status_code == 404


@pytest.mark.one_database
def test_a_second_click_does_not_start_a_second_one(admin_client: Browser, make_clients: MakeClients) -> None:
    make_clients("one")
    for _ in range(2):
        admin_client.post(reverse(EXPORT))
    assert Job.objects.filter(kind_name="trust.export-clients").count() == 1


@pytest.mark.one_database
def test_the_filter_stands_in_words(admin_client: Browser, new: Root) -> None:
    wanted = {"root": str(new.pk), "protocol": "315", "mark": "revoked", "registered": ["none", "tls"], "q": "vdi-"}
    page = admin_client.get(reverse(EXPORT), wanted).content.decode()
    for text in ("Root 1", "315 (Client 7.4 or later)", "Revoked", "Registered using TLS", "vdi-"):
        assert f">{text}</dd>" in page
    assert page.count('type="hidden" name="registered"') == 2
    assert admin_client.post(reverse(EXPORT), {"mark": "nonsense"}).status_code == 422
