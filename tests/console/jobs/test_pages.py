"""STK-07: the pages of Background Jobs, and what may be done with a job from them."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import transaction
from django.test import Client

from console.accounts.models import User
from console.activity import log
from console.activity.models import Entry
from console.jobs import kinds, queue, sweeping
from console.jobs.kinds import JobKind, OnLost
from console.jobs.models import Job, State
from console.lib import clock, moment
from console.lib.actor import Actor, ActorKind
from console.lib.subject import Subject
from console.servers.models import Server

ANN = Actor(ActorKind.USER, "ann")
KEY = Subject("test-key", "7", "ts1 Root 7 <b>")


@pytest.fixture
def kind(monkeypatch: pytest.MonkeyPatch) -> JobKind:
    made = JobKind(
        name="test.revoke",
        label="Revoke key",
        task="test.revoke",
        time_limit_s=1,
        lease_s=2,
        on_lost=OnLost.FAIL,
        retry_by_hand=True,
        reschedulable=True,
    )
    monkeypatch.setitem(kinds._kinds, made.name, made)
    return made


@pytest.fixture
def planned(server: Server, kind: JobKind) -> Job:
    with transaction.atomic():
        return queue.enqueue(kind, subject=KEY, actor=ANN, due_at=clock.now() + timedelta(days=7))


def ended(job: Job, state: State, **values: Any) -> Job:
    Job.objects.filter(pk=job.pk).update(state=state, finished_at=clock.now(), started_at=clock.now(), **values)
    job.refresh_from_db()
    return job


def text(client: Client, url: str, **query: str) -> str:
    answer = client.get(url, query)
    assert answer.status_code == 200
    return answer.content.decode()


def test_each_tab_shows_its_states(auditor_client: Client, planned: Job) -> None:
    name = "ts1 Root 7 &lt;b&gt;"
    assert name in text(auditor_client, "/jobs/", tab="scheduled")
    assert name in text(auditor_client, "/jobs/", tab="all")
    assert name not in text(auditor_client, "/jobs/", tab="open")
    assert name not in text(auditor_client, "/jobs/", tab="finished")
    ended(planned, State.FAILED, message="The token is gone.", error_code="CKR_TOKEN_NOT_PRESENT")
    finished = text(auditor_client, "/jobs/", tab="finished")
    assert "The token is gone." in finished
    assert "CKR_TOKEN_NOT_PRESENT" in finished


def test_filters_narrow_and_can_be_cleared(auditor_client: Client, planned: Job) -> None:
    for query in ({"kind": "test.revoke"}, {"state": "scheduled"}, {"subject": "root 7"}, {"who": "AN"}):
        assert "ts1 Root 7" in text(auditor_client, "/jobs/", tab="all", **query)
    for query in ({"kind": "jobs.tidy"}, {"state": "failed"}, {"subject": "root 8"}, {"who": "bob"}):
        page = text(auditor_client, "/jobs/", tab="all", **query)
        assert "ts1 Root 7" not in page
        assert "Clear all filters" in page


def test_a_fragment_request_gets_the_grid_alone(auditor_client: Client, planned: Job) -> None:
    answer = auditor_client.get("/jobs/?tab=scheduled", headers={"HX-Request": "true"})
    page = answer.content.decode()
    assert page.lstrip().startswith('<div id="grid"')
    assert "HX-Request" in answer.headers["Vary"]
    back = auditor_client.get(
        "/jobs/", headers={"HX-Request": "true", "HX-History-Restore-Request": "true"}
    ).content.decode()
    assert "<html" in back


def test_live_tabs_ask_again_and_others_do_not(auditor_client: Client, planned: Job) -> None:
    assert 'hx-trigger="every 3s"' in text(auditor_client, "/jobs/", tab="scheduled")
    assert 'hx-trigger="every 3s"' not in text(auditor_client, "/jobs/", tab="all")
    assert "ts1 Root 7" in text(auditor_client, "/jobs/rows/", tab="scheduled")


def test_housekeeping_has_one_row_each_with_its_last_run(auditor_client: Client, server: Server) -> None:
    sweeping.ensure_housekeeping(server, clock.now())
    Job.objects.filter(kind_name="jobs.tidy").update(
        state=State.SCHEDULED, started_at=clock.now(), finished_at=clock.now(), message="4 jobs deleted."
    )
    page = text(auditor_client, "/jobs/housekeeping/")
    assert page.count("Delete old jobs") == 1
    assert "4 jobs deleted." in page
    assert "Delete old jobs" not in text(auditor_client, "/jobs/rows/", tab="scheduled")
    Job.objects.filter(kind_name="jobs.tidy").update(error_code="OSError")
    assert "1 failing" in text(auditor_client, "/jobs/")


def test_detail_shows_facts_and_log_entries(auditor_client: Client, planned: Job) -> None:
    with transaction.atomic():
        log.append("test.done", KEY, actor=ANN)
        log.append("test.other", Subject("test-key", "8", "another"), actor=ANN)
        log.append("jobs.rescheduled", planned.as_subject, actor=ANN)
    ended(planned, State.SUCCEEDED)
    page = text(auditor_client, f"/jobs/{planned.pk}/")
    assert "Job moved to another time" in page
    assert "test.done" in page
    assert "test.other" not in page
    assert "planned: the system does it" in page
    assert "Your roles may look at jobs, not change them." in page


def test_an_unknown_job_is_a_404(auditor_client: Client, server: Server) -> None:
    assert auditor_client.get(f"/jobs/{server.pk}/").status_code == 404


def test_an_auditor_changes_nothing(auditor_client: Client, planned: Job) -> None:
    for act in ("cancel", "reschedule", "run-now", "retry"):
        assert auditor_client.post(f"/jobs/{planned.pk}/{act}/").status_code == 403
    planned.refresh_from_db()
    assert planned.state == State.SCHEDULED


def test_cancel_asks_first_and_writes_the_log(admin_client: Client, planned: Job) -> None:
    assert "Cancel this job?" in text(admin_client, f"/jobs/{planned.pk}/cancel/")
    answer = admin_client.post(f"/jobs/{planned.pk}/cancel/")
    assert (answer.status_code, answer.headers["Location"]) == (302, f"/jobs/{planned.pk}/")
    planned.refresh_from_db()
    assert planned.state == State.CANCELLED
    assert Entry.objects.get(action="jobs.cancelled").actor == "alice"
    assert admin_client.post(f"/jobs/{planned.pk}/cancel/").status_code == 409


def test_the_dialog_is_a_fragment_and_leads_back(admin_client: Client, planned: Job) -> None:
    url = f"/jobs/{planned.pk}/cancel/"
    asked = admin_client.get(url, headers={"HX-Request": "true"}).content.decode()
    assert asked.lstrip().startswith("<dialog")
    done = admin_client.post(url, headers={"HX-Request": "true"})
    assert done.headers["HX-Redirect"] == f"/jobs/{planned.pk}/"


def test_the_date_can_be_moved_but_not_into_the_past(admin_client: Client, planned: Job) -> None:
    url = f"/jobs/{planned.pk}/reschedule/"
    for bad, words in (("2020-01-01T10:00", "That time has passed"), ("soon", moment.SAID), ("", moment.SAID)):
        answer = admin_client.post(url, {"due_at": bad})
        page = answer.content.decode()
        assert answer.status_code == 422
        assert words in page
        assert "<title>Error: " in page
    assert admin_client.post(url, {"due_at": "2099-05-06T07:08"}).status_code == 302
    planned.refresh_from_db()
    assert planned.due_at.isoformat() == "2099-05-06T07:08:00+00:00"


def test_run_now_needs_a_recent_sign_in(admin: User, as_user: Callable[..., Client], planned: Job) -> None:
    answer = as_user(admin, recent=False).post(f"/jobs/{planned.pk}/run-now/")
    assert answer.status_code == 302
    assert "?next=" in answer.headers["Location"]
    planned.refresh_from_db()
    assert planned.state == State.SCHEDULED


def test_run_now_queues_the_job(admin_client: Client, planned: Job) -> None:
    answer = admin_client.post(f"/jobs/{planned.pk}/run-now/")
    assert answer.headers["Location"] == f"/jobs/{planned.pk}/"
    planned.refresh_from_db()
    assert planned.state == State.QUEUED


def test_retry_where_the_kind_allows(admin_client: Client, planned: Job) -> None:
    ended(planned, State.FAILED, message="x")
    assert f"/jobs/{planned.pk}/retry/" in text(admin_client, f"/jobs/{planned.pk}/")
    assert admin_client.post(f"/jobs/{planned.pk}/retry/").status_code == 302
    planned.refresh_from_db()
    assert planned.state == State.QUEUED


def test_a_job_of_another_version_is_shown_and_left_alone(admin_client: Client, planned: Job) -> None:
    Job.objects.filter(pk=planned.pk).update(kind_name="gone.kind")
    page = text(admin_client, f"/jobs/{planned.pk}/")
    assert "does not know this kind of work" in page
    assert f"/jobs/{planned.pk}/cancel/" not in page
    for act in ("cancel", "run-now", "retry", "reschedule"):
        answer = admin_client.post(f"/jobs/{planned.pk}/{act}/", {"due_at": "2099-05-06T07:08"})
        assert answer.status_code == 422
        assert "does not know the kind of work “gone.kind”" in answer.content.decode()
    planned.refresh_from_db()
    assert planned.state == State.SCHEDULED


def test_the_reason_stands_beside_an_act_that_cannot_be_used(
    admin_client: Client, planned: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    fixed = JobKind("test.fixed", "Destroy key", "test.fixed", 1, 2, OnLost.FAIL, cancellable=False)
    monkeypatch.setitem(kinds._kinds, fixed.name, fixed)
    Job.objects.filter(pk=planned.pk).update(kind_name=fixed.name)
    page = text(admin_client, f"/jobs/{planned.pk}/")
    assert "leave half of the work undone" in page
    assert f"/jobs/{planned.pk}/cancel/" not in page
    refused = admin_client.post(f"/jobs/{planned.pk}/cancel/")
    assert refused.status_code == 422
    assert "half of it would be left undone" in refused.content.decode()
    Job.objects.filter(pk=planned.pk).update(state=State.FAILED)
    assert "Start it again from its own page" in text(admin_client, f"/jobs/{planned.pk}/")
