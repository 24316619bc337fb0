"""The export: every field of every wanted entry, safe in a spreadsheet, in a file that only its readers get."""

import csv
import hashlib
import stat
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import transaction
from django.test import Client

from console.accounts.models import User
from console.activity import export, log
from console.activity.jobs import EXPORT, TIDY_EXPORTS
from console.activity.models import Entry
from console.activity.queries import Wanted
from console.jobs import queue, sweeping
from console.jobs.models import Job, State
from console.lib import clock, csvfile
from console.lib.subject import Subject
from console.servers.models import Server
from tests.console.activity.conftest import ANN

RunJobs = Callable[..., list[Job]]


def rows(path: Path) -> list[list[str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.reader(file))


def test_every_entry_and_field_is_written(
    append: Callable[[int], list[Entry]], tmp_path: Path, monkeypatch: Any
) -> None:
    monkeypatch.setattr(csvfile, "CHUNK", 3)
    entries = append(7)
    with transaction.atomic():
        log.append("test.done", Subject("key", "1", '=cmd|" /C calc"!A1, "x"\nnext'), actor=ANN)
    path = tmp_path / "a" / "x.csv"
    steps: list[int] = []
    written = csvfile.write(export.COLUMNS, export.rows(Entry.objects.all()), path, steps.append)
    head, *found = rows(path)
    assert head == list(export.COLUMNS)
    assert [row[0] for row in found] == [str(number) for number in range(1, 9)]
    assert found[3][-1] == entries[3].hash
    assert found[7][10] == '\'=cmd|" /C calc"!A1, "x"\nnext'
    assert (written.rows, written.sha256) == (8, hashlib.sha256(path.read_bytes()).hexdigest())
    assert steps == [3, 6]
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert not path.with_suffix(".part").exists()


def test_a_filter_survives_its_way_through_a_job(db: None) -> None:
    wanted = Wanted(actor="ann", subject="Root 1", since=clock.now() - timedelta(days=1))
    assert Wanted.from_params(wanted.as_params()) == wanted
    assert not Wanted()
    assert wanted


@pytest.fixture
def exported(auditor_client: Client, append: Callable[[int], list[Entry]], run_jobs: RunJobs) -> Job:
    append(4)
    answer = auditor_client.post("/activity/export/", {"actor": "ann", "subject": "Root 2"})
    assert answer.status_code == 302
    return run_jobs()[0]


def test_an_export_runs_as_a_job_and_the_log_says_so(exported: Job, auditor_client: Client) -> None:
    assert exported.state == State.SUCCEEDED, exported.message
    assert exported.result["rows"] == 1
    assert rows(EXPORT.path_of(exported.pk))[1][10] == "ts1 Root 2"
    entry = Entry.objects.get(action="activity-log.exported")
    assert entry.actor == "olga"
    assert '"filter":{"actor":"ann","subject":"Root 2"}' in entry.details
    assert "Download" in auditor_client.get("/activity/export/").content.decode()


def test_it_is_handed_out_to_readers_and_the_log_says_to_whom(exported: Job, admin_client: Client) -> None:
    answer = admin_client.post(f"/activity/export/{exported.pk}/")
    assert answer.headers["Content-Disposition"].startswith('attachment; filename="activity-log-')
    assert b"ts1 Root 2" in b"".join(answer)
    assert Entry.objects.get(action="activity-log.export-downloaded").actor == "alice"


def test_who_may_not_read_the_log_gets_no_export(exported: Job, user_client: Client, plain_user: User) -> None:
    url = f"/activity/export/{exported.pk}/"
    # Not even their own: it may be from a time when they had the role.
    Job.objects.filter(pk=exported.pk).update(actor_id=plain_user.actor.id)
    assert user_client.post(url).status_code == 403
    assert user_client.post("/activity/export/").status_code == 403


def test_the_file_goes_with_its_job(exported: Job, run_jobs: RunJobs, monkeypatch: pytest.MonkeyPatch) -> None:
    path = EXPORT.path_of(exported.pk)
    later = clock.now() + timedelta(days=91)
    monkeypatch.setattr("console.lib.clock.now", lambda: later)
    sweeping.tidy(later)
    assert path.exists()
    other = path.with_name("notes.txt")
    other.write_text("not ours")
    with transaction.atomic():
        queue.enqueue(TIDY_EXPORTS, subject=exported.subject, actor=ANN)
    assert run_jobs()[0].message == "1 files deleted."
    assert not path.exists()
    assert other.exists()


def test_a_missing_file_is_a_clear_404(exported: Job, auditor_client: Client) -> None:
    EXPORT.path_of(exported.pk).unlink()
    answer = auditor_client.post(f"/activity/export/{exported.pk}/")
    assert answer.status_code == 404
    assert "after 90 days" in answer.content.decode()


def test_a_second_click_does_not_start_a_second_one(auditor_client: Client, server: Server) -> None:
    for _ in range(2):
        auditor_client.post("/activity/export/", {"subject": "Root 2", "actor": "ann"})
    assert Job.objects.filter(kind_name="activity.export").count() == 1
    auditor_client.post("/activity/export/", {"subject": "Root 3"})
    asked = Job.objects.filter(kind_name="activity.export").order_by("created_at")
    assert [job.params["subject"] for job in asked] == ["Root 2", "Root 3"]


def test_the_file_of_another_server_is_not_offered(exported: Job, auditor_client: Client) -> None:
    other = Server.objects.create(fqdn="ts2.example.com", sealing_public="00", created_at=clock.now())
    Job.objects.filter(pk=exported.pk).update(server=other)
    assert f"download-{exported.pk}" not in auditor_client.get("/activity/export/").content.decode()
    answer = auditor_client.post(f"/activity/export/{exported.pk}/")
    assert (answer.status_code, Entry.objects.filter(action="activity-log.export-downloaded").count()) == (404, 0)
    Job.objects.filter(pk=exported.pk).update(state=State.RUNNING)
    auditor_client.post("/activity/export/", {"actor": "ann", "subject": "Root 2"})
    assert Job.objects.filter(kind_name="activity.export").count() == 2
