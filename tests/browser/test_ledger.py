"""Background Jobs and Activity in Chromium: what moves by itself, what is spoken, what works without script."""

import re
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db import transaction
from playwright.sync_api import Page, expect

from console.accounts.models import User
from console.activity import log
from console.activity.jobs import VERIFY
from console.activity.models import Entry
from console.jobs import queue
from console.jobs.models import Job, State
from console.lib import clock
from console.lib.subject import Subject
from console.servers.models import Server
from tests.browser.judging import axe, silent

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.one_database]

OpenPage = Callable[..., Page]
SUBJECT = Subject("activity-log", "", "Activity log")


@pytest.fixture
def job(server: Server, admin: User) -> Job:
    """Give a job that seems to run: no worker is there to end it."""
    job = queue.enqueue(VERIFY, subject=SUBJECT, actor=admin.actor)
    now = clock.now()
    running = {"state": State.RUNNING, "attempts": 1, "started_at": now, "lease_until": now + timedelta(hours=1)}
    Job.objects.filter(pk=job.pk).update(**running, done=10, total=100, message="Checking entries")
    return job


def change(job: Job, **values: object) -> None:
    Job.objects.filter(pk=job.pk).update(**values)


def test_a_card_moves_speaks_and_stops(open_page: OpenPage, admin: User, job: Job) -> None:
    page = open_page(admin)
    asked: list[int] = []
    page.on("response", lambda answer: asked.append(answer.status) if "/card/" in answer.url else None)
    with silent(page):
        page.goto(f"/jobs/{job.pk}/")
        expect(page.get_by_text("10 of 100 (10 %)")).to_be_visible()
        expect(page.locator("#live")).to_have_text("Verify activity log: started.")
        change(job, done=60)
        expect(page.get_by_text("60 of 100 (60 %)")).to_be_visible()
        expect(page.locator("#live")).to_have_text("Verify activity log: 50 percent.")
        axe(page)
        change(job, state=State.SUCCEEDED, done=100, message="All is well.", finished_at=clock.now())
        with page.expect_response(lambda answer: answer.url.endswith(f"/jobs/{job.pk}/")) as region:
            expect(page.locator("#live")).to_have_text("Verify activity log: succeeded. All is well.")
    assert region.value.ok
    assert asked[-1] == 286
    assert set(asked[:-1]) == {200}
    expect(page.locator(f"#job-{job.pk}")).not_to_have_attribute("hx-trigger", re.compile(".*"))


@pytest.mark.parametrize("status", [0, 502])
def test_a_card_asks_again_when_the_server_was_away(open_page: OpenPage, admin: User, job: Job, status: int) -> None:
    page = open_page(admin)
    page.clock.install()
    page.route("**/card/?*", lambda route: route.fulfill(status=status) if status else route.abort(), times=2)
    page.goto(f"/jobs/{job.pk}/")
    for _ in range(2):
        with page.expect_event("requestfailed" if status == 0 else "requestfinished", lambda one: "/card/" in one.url):
            page.clock.run_for(5_000)
    expect(page.locator("#toasts")).to_contain_text("This page asks again until it does.")
    expect(page.locator("#toasts p")).to_have_count(1)
    change(job, done=60)
    page.clock.run_for(5_000)
    expect(page.get_by_text("60 of 100 (60 %)")).to_be_visible()


def test_a_card_inside_a_region_refreshes_it_at_the_end(open_page: OpenPage, admin: User, job: Job) -> None:
    page = open_page(admin)
    with silent(page):
        page.goto("/activity/verify/")
        change(job, done=70)
        expect(page.get_by_text("70 of 100 (70 %)")).to_be_visible()
        found = {"verdict": "intact", "entries": 3, "proven_to": 3, "chained_only": 0, "heads": 1, "weaknesses": []}
        change(job, state=State.SUCCEEDED, result=found, finished_at=clock.now())
        expect(page.get_by_text("Nothing was changed up to entry 3")).to_be_visible()
        expect(page.locator(f"#job-{job.pk}")).to_have_count(0)


def test_without_script_a_link_shows_how_far_it_is(open_page: OpenPage, admin: User, job: Job) -> None:
    page = open_page(admin, script=False)
    page.goto(f"/jobs/{job.pk}/")
    change(job, done=80)
    page.get_by_role("link", name="Refresh").click()
    expect(page.get_by_text("80 of 100 (80 %)")).to_be_visible()


@pytest.mark.parametrize("script", [True, False])
def test_a_planned_job_is_moved_then_cancelled(open_page: OpenPage, admin: User, server: Server, script: bool) -> None:
    with transaction.atomic():
        job = queue.enqueue(VERIFY, subject=SUBJECT, actor=admin.actor, due_at=clock.now() + timedelta(days=7))
    page = open_page(admin, script=script)
    with silent(page):
        page.goto("/jobs/?tab=scheduled")
        page.get_by_role("link", name="Verify activity log").click()
        expect(page.get_by_text("cannot be moved")).to_be_visible()
        page.get_by_role("link", name="Cancel job").click()
        place = page.get_by_role("dialog") if script else page.get_by_role("main")
        expect(place.get_by_role("heading", name="Cancel this job?")).to_be_visible()
        axe(page) if script else None
        place.get_by_role("button", name="Cancel job").click()
        expect(page.get_by_text("The job is cancelled.")).to_be_visible()
        expect(page.get_by_text("Job cancelled")).to_be_visible()
    job.refresh_from_db()
    assert job.state == State.CANCELLED


def test_the_list_of_running_jobs_moves_by_itself(open_page: OpenPage, admin: User, job: Job) -> None:
    page = open_page(admin)
    with silent(page):
        page.goto("/jobs/")
        expect(page.get_by_text("Checking entries")).to_be_visible()
        page.locator(f"#job-{job.pk}").focus()
        change(job, message="Nearly there")
        expect(page.get_by_text("Nearly there")).to_be_visible()
        expect(page.locator(f"#job-{job.pk}")).to_be_focused()
        change(job, state=State.SUCCEEDED)
        expect(page.get_by_text("Nothing runs and nothing waits")).to_be_visible()


@pytest.fixture
def entries(server: Server, admin: User) -> list[Entry]:
    found = []
    for number in range(120):
        with transaction.atomic():
            subject = Subject("root-key", "", f"Root {number}")
            found.append(log.append("keys.root.created", subject, actor=admin.actor))
    return found


def test_the_log_is_filtered_and_paged_in_place(open_page: OpenPage, admin: User, entries: list[Entry]) -> None:
    page = open_page(admin)
    grid = page.locator("#grid")
    with silent(page):
        page.goto("/activity/")
        page.get_by_role("link", name="Next").click()
        expect(grid.get_by_text("Root 60", exact=True)).to_be_visible()
        assert "at=" in page.url
        page.get_by_role("link", name="Previous").click()
        expect(grid.get_by_text("Root 119", exact=True)).to_be_visible()
        page.get_by_label("Subject").fill("Root 11")
        page.get_by_label("Subject").press("Enter")
        expect(grid.get_by_text("Root 60", exact=True)).to_have_count(0)
        expect(grid.locator("tbody tr")).to_have_count(11)
        assert "subject=Root%2011" in page.url
        page.get_by_role("link", name="Export what the filter shows as CSV").click()
        expect(page.get_by_text("Subject contains")).to_be_visible()
        page.go_back()
        expect(grid.locator("tbody tr")).to_have_count(11)
        expect(page.get_by_label("Subject")).to_have_value("Root 11")


def test_the_log_works_without_script(open_page: OpenPage, admin: User, entries: list[Entry]) -> None:
    page = open_page(admin, script=False)
    page.goto("/activity/")
    page.get_by_role("link", name="Next").click()
    page.get_by_label("Subject").fill("Root 7")
    page.get_by_role("button", name="Filter").click()
    expect(page.locator("#grid tbody tr")).to_have_count(11)
    page.locator("#grid").get_by_role("link", name="Root key created").first.click()
    expect(page.get_by_text("Fits what the entry says")).to_be_visible()


def test_the_theme_is_chosen_and_kept(open_page: OpenPage, admin: User, server: Server) -> None:
    page = open_page(admin)
    with silent(page):
        page.goto("/help/tls/")
        page.get_by_role("button", name="Theme: system").click()
        page.get_by_role("button", name="Dark").click()
        expect(page.locator("html")).to_have_attribute("data-theme", "dark")
        expect(page.get_by_role("heading", level=1)).to_have_text("Connections and protocols")
        page.goto("/jobs/")
        expect(page.locator("html")).to_have_attribute("data-theme", "dark")
