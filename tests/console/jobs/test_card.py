"""STK-07, MIS-11: the card asks 0.3, 0.6, 1, 2 s apart, every 5 s after a minute, and stops with 286."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import resolve

from console.activity.jobs import VERIFY
from console.jobs.card import STARTED, Watch, card
from console.jobs.jobs import TIDY
from console.jobs.models import Job, State
from console.servers.models import Server

NOW = datetime(2026, 11, 21, 22, 40, tzinfo=UTC)


def events(response: Any) -> dict[str, Any]:
    """Return what the response sends to the body of the page, by name."""
    carried = json.loads(response.headers.get("HX-Trigger", "{}"))
    return {name: {key: value for key, value in detail.items() if key != "target"} for name, detail in carried.items()}


def a_job(state: State = State.RUNNING, **values: object) -> Job:
    defaults: dict[str, object] = {
        "kind_name": TIDY.name,
        "subject_kind": "server",
        "subject_label": "ts1.example",
        "actor_kind": "user",
        "actor_name": "ann",
        "state": state,
        "due_at": NOW,
        "created_at": NOW,
    }
    return Job(**defaults | values)


def test_waits_between_polls() -> None:
    since = int(NOW.timestamp())
    waits = [card(a_job(), NOW, Watch(polls, since)).wait_ms for polls in range(5)]
    assert waits == [300, 600, 1000, 2000, 2000]
    assert card(a_job(), NOW + timedelta(seconds=61), Watch(9, since)).wait_ms == 5000


@pytest.mark.parametrize("state", [State.SUCCEEDED, State.FAILED, State.CANCELLED])
def test_an_ended_job_is_not_asked_about(state: State) -> None:
    assert card(a_job(state), NOW).wait_ms == 0


def test_attempts_by_hand_are_not_counted_among_those_of_the_kind() -> None:
    shown = [card(a_job(kind_name=VERIFY.name, attempts=number), NOW).attempt for number in (1, 2, 3)]
    assert shown == ["", "Attempt 2 of 2", "Attempt 3"]


def test_a_job_of_next_week_is_not_asked_about() -> None:
    assert card(a_job(State.SCHEDULED, due_at=NOW + timedelta(days=7)), NOW).wait_ms == 0
    assert card(a_job(State.SCHEDULED, due_at=NOW + timedelta(seconds=30)), NOW).wait_ms == 300


def test_speaks_at_the_start_at_the_quarters_and_at_the_end() -> None:
    spoken, said = [], -1
    for done in (0, 1, 24, 25, 26, 60, 75, 99):
        made = card(a_job(done=done, total=100), NOW, Watch(1, 0, said))
        said = int(made.query.rpartition("said=")[2])
        spoken.append(made.news.removeprefix(f"{TIDY.label}: "))
    assert spoken == ["started.", "", "", "25 percent.", "", "50 percent.", "75 percent.", ""]
    end = card(a_job(State.SUCCEEDED, message="9 jobs deleted."), NOW, Watch(9, 0, said))
    assert end.news == f"{TIDY.label}: succeeded. 9 jobs deleted."
    assert card(a_job(State.QUEUED), NOW, Watch(0, 0, -1)).news == ""
    assert STARTED == 0


def test_stuck_work_is_named() -> None:
    queued = card(a_job(State.QUEUED, due_at=NOW - timedelta(minutes=2)), NOW)
    assert "No worker has taken this job for 2 min" in queued.notice
    lost = card(a_job(lease_until=NOW - timedelta(seconds=1)), NOW)
    assert "settles" in lost.notice
    late = card(a_job(State.SCHEDULED, due_at=NOW - timedelta(minutes=1)), NOW)
    assert "no tick" in late.notice
    assert "found out" in card(a_job(State.UNKNOWN), NOW).notice
    assert card(a_job(), NOW).notice == ""


def test_a_kind_of_another_version_is_shown_by_its_name() -> None:
    assert card(a_job(kind_name="gone.kind"), NOW).title == "gone.kind"


@pytest.fixture
def job(server: Server) -> Job:
    made = a_job(State.RUNNING, server=server, done=1, total=2)
    made.save()
    return made


def test_polling_answers_200_then_286(auditor_client: Client, job: Job) -> None:
    url = f"/jobs/{job.pk}/card/"
    running = auditor_client.get(url, {"polls": "1", "said": "0"}, headers={"HX-Request": "true"})
    assert running.status_code == 200
    assert 'hx-trigger="load delay:600ms"' in running.content.decode()
    assert events(running)["say"]["text"].endswith("50 percent.")
    Job.objects.update(state=State.SUCCEEDED)
    ended = auditor_client.get(url, {"polls": "2", "said": "50"}, headers={"HX-Request": "true"})
    assert ended.status_code == 286
    assert "hx-trigger" not in ended.content.decode()
    assert events(ended)["job-finished"] == {"id": str(job.pk), "state": "succeeded"}


@pytest.mark.parametrize("polls", ["x", "-1", "9" * 40, "٣", ""])
def test_nonsense_in_the_address_is_no_error(auditor_client: Client, job: Job, polls: str) -> None:
    answer = auditor_client.get(f"/jobs/{job.pk}/card/", {"polls": polls, "since": polls, "said": polls})
    assert answer.status_code == 200


def test_polling_is_marked_as_passive(job: Job) -> None:
    marks = {
        url: getattr(resolve(url).func, "passive", False) for url in (f"/jobs/{job.pk}/card/", "/jobs/rows/", "/jobs/")
    }
    assert list(marks.values()) == [True, True, False]
