"""The export: what its user may see when it is made, and nobody else's to take."""

import csv
from collections.abc import Callable

from django.test import Client
from django.urls import reverse

from console.accounts.models import User
from console.activity.models import Entry
from console.jobs.models import Job
from console.lib import clock, csvfile
from hsm.browsing import exporting
from hsm.models.groups import GroupMember, GroupRole
from tests.hsm.browsing.conftest import MakeGroup, MakeKeys

RunJobs = Callable[..., list[Job]]
EXPORT = "hsm:objects-export"


def rows(job: Job) -> list[list[str]]:
    with exporting.EXPORT.path_of(job.pk).open(encoding="utf-8", newline="") as file:
        head, *found = csv.reader(file)
    assert tuple(head) == exporting.COLUMNS
    return found


def ask(client: Client, run_jobs: RunJobs, **wanted: str) -> Job:
    assert client.post(reverse(EXPORT), wanted).status_code == 302
    (job,) = [one for one in run_jobs() if one.kind_name == "hsm.export-objects"]
    assert job.state == "succeeded", job.message
    return job


def test_everything_that_is_wanted_is_written(
    admin_client: Client, make_group: MakeGroup, make_keys: MakeKeys, run_jobs: RunJobs, monkeypatch: object
) -> None:
    csvfile_chunk = csvfile.CHUNK
    monkeypatch.setattr(csvfile, "CHUNK", 3)  # type: ignore[attr-defined]
    assert csvfile_chunk > 3
    make_keys(make_group("Luna"), *(f"key {number}" for number in range(7)), "=SUM(A1)")
    make_keys(make_group("Payroll", "software"), "other")
    job = ask(admin_client, run_jobs)
    assert job.result["rows"] == len(rows(job)) == 9
    assert {row[1] for row in rows(job)} == {*(f"key {number}" for number in range(7)), "'=SUM(A1)", "other"}
    assert {row[3] for row in rows(job)} == {"HSM", "pki.db"}
    assert [row[1] for row in rows(ask(admin_client, run_jobs, q="other"))] == ["other"]
    assert Entry.objects.filter(action="hsm.objects.exported").count() == 2


def test_it_holds_what_the_user_may_see_when_it_is_made(
    plain_user: User, as_user: Callable[..., Client], make_group: MakeGroup, make_keys: MakeKeys, run_jobs: RunJobs
) -> None:
    mine, left = make_group("mine"), make_group("left")
    for group in (mine, left, make_group("others")):
        make_keys(group, f"key of {group.title}")
    for group in (mine, left):
        GroupMember.objects.create(
            group=group, user=plain_user, role=GroupRole.MEMBER, added_at=clock.now(), added_by="alice"
        )
    client = as_user(plain_user)
    client.post(reverse(EXPORT))
    GroupMember.objects.filter(group=left).delete()
    (job,) = run_jobs()
    assert [row[1] for row in rows(job)] == ["key of mine"]


def test_only_who_asked_for_it_takes_it(
    admin_client: Client, auditor_client: Client, make_group: MakeGroup, make_keys: MakeKeys, run_jobs: RunJobs
) -> None:
    make_keys(make_group("Luna"), "one")
    job = ask(admin_client, run_jobs)
    address = reverse("hsm:objects-download", args=[job.pk])
    assert auditor_client.post(address).status_code == 404
    response = admin_client.post(address)
    assert b"one" in b"".join(response.streaming_content)  # type: ignore[attr-defined]
    assert Entry.objects.filter(action="hsm.objects.downloaded").count() == 1
    assert str(job.pk) in admin_client.get(reverse(EXPORT)).content.decode()
    assert str(job.pk) not in auditor_client.get(reverse(EXPORT)).content.decode()
    exporting.EXPORT.path_of(job.pk).unlink()
    assert admin_client.post(address).status_code == 404


def test_a_second_click_does_not_start_a_second_one(admin_client: Client, make_group: MakeGroup) -> None:
    make_group("Luna")
    for _ in range(2):
        admin_client.post(reverse(EXPORT))
    assert Job.objects.filter(kind_name="hsm.export-objects").count() == 1


def test_the_filter_stands_in_words(admin_client: Client, make_group: MakeGroup) -> None:
    group = make_group("Luna")
    page = admin_client.get(reverse(EXPORT), {"group": str(group.pk), "spec": "ec-p256", "state": "missing"})
    for text in ("Luna", "EC P-256", "Missing in HSM"):
        assert f">{text}</dd>" in page.content.decode()
    assert admin_client.post(reverse(EXPORT), {"state": "nonsense"}).status_code == 422
