"""Home (NAV-06, STK-05): Environment Status says what is true now, and the first steps go away when they are done."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client, RequestFactory

from console import home, panels
from console.accounts.grants import RoleKey
from console.accounts.models import User
from console.activity.jobs import VERIFY
from console.home import Mark, Panel
from console.jobs import queue, sweeping
from console.jobs.models import Job, State
from console.lib import clock
from console.lib.capability import Capability
from console.servers.models import Server
from keys.home import last_backup, root_keys
from keys.models.backup import Backup, BackupLabel
from keys.models.keystore import KeyStore, Protection
from tests.console.activity.conftest import ANN, LogKey, append, log_key  # noqa: F401 - fixtures

REQUEST = RequestFactory().get("/")


@pytest.fixture
def moved(monkeypatch: pytest.MonkeyPatch) -> Callable[[timedelta], None]:
    """Move the clock."""

    def move(by: timedelta) -> None:
        there = clock.now() + by
        monkeypatch.setattr("console.lib.clock.now", lambda: there)

    return move


def facts(panel: Panel) -> dict[str, str]:
    return {fact.label: fact.value for fact in panel.lines}


def test_home_shows_every_panel_with_its_state_in_words(admin_client: Client, server: Server) -> None:
    page = admin_client.get("/").content.decode()
    assert "Environment Status" in page
    titles = (
        "This server",
        "Clients",
        "Root keys",
        "HSM",
        "HSM groups",
        "Key store pki.db",
        "Background jobs",
        "Activity log",
        "Last backup",
    )
    places = [page.index(f">{title}</h3>") for title in titles]
    assert places == sorted(places)
    assert server.fqdn in page
    assert "No client has registered yet" in page


def test_an_empty_console_names_the_first_steps(admin_client: Client, server: Server) -> None:
    page = admin_client.get("/").content.decode()
    for title in (
        "Integrate an HSM",
        "Create a root key",
        "Create a group",
        "Make a backup",
        "Enrol a first client",
        "Add a second administrator",
        "Verify the activity log",
    ):
        assert title in page
    assert "0 of 7 done" in page


def test_the_first_steps_go_away(admin_client: Client, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    done = home.Step("x", "y", "/", done=True)
    monkeypatch.setattr(home._registry, "steps", [(1, lambda _request: done, Capability.READ)])
    assert "First steps" not in admin_client.get("/").content.decode()


def test_only_steps_that_the_user_may_take_are_named(auditor_client: Client, server: Server) -> None:
    page = auditor_client.get("/").content.decode()
    assert "Verify the activity log" in page
    assert "0 of 1 done" in page


def test_a_user_without_a_role_learns_why_there_is_nothing(user_client: Client, server: Server) -> None:
    page = user_client.get("/").content.decode()
    assert "You have no role yet" in page
    assert "Environment Status" not in page


def test_a_panel_registers_once_and_may_be_absent(monkeypatch: pytest.MonkeyPatch, admin: User) -> None:
    monkeypatch.setattr(home, "_registry", home._Registry())
    panel = Panel("a", "A", "key", Mark.OK, "good")
    second: Callable[[Any], Panel | None] = lambda _request: None  # noqa: E731
    first: Callable[[Any], Panel | None] = lambda _request: panel  # noqa: E731
    for _ in range(2):
        home.register_panel(2, second)
        home.register_panel(1, first)
    request = RequestFactory().get("/")
    request.user = admin
    assert home.panels(request) == [panel]


def test_jobs_panel_sees_a_worker_that_is_silent(server: Server, moved: Callable[[timedelta], None]) -> None:
    assert panels.jobs(REQUEST).state is Mark.BAD
    sweeping.ensure_housekeeping(server, clock.now())
    Job.objects.filter(every_s__gt=0).update(finished_at=clock.now(), due_at=clock.now() + timedelta(minutes=1))
    assert panels.jobs(REQUEST).state is Mark.OK
    moved(timedelta(minutes=10))
    silent = panels.jobs(REQUEST)
    assert silent.state is Mark.BAD
    assert "check the worker and beat processes" in silent.summary


def test_jobs_panel_counts_what_failed(server: Server) -> None:
    sweeping.ensure_housekeeping(server, clock.now())
    Job.objects.filter(every_s__gt=0).update(finished_at=clock.now(), due_at=clock.now() + timedelta(minutes=1))
    job = queue.enqueue(VERIFY, subject=server.subject, actor=ANN)
    Job.objects.filter(pk=job.pk).update(state=State.FAILED)
    found = panels.jobs(REQUEST)
    assert (found.state, facts(found)["Failed in the last 24 hours"]) == (Mark.WARN, "1")
    assert found.summary == "1 job failed in the last 24 hours"


def test_log_panel_shows_signing_and_the_last_verification(
    server: Server,
    append: Callable[[int], list[Any]],  # noqa: F811
    log_key: LogKey,  # noqa: F811
    moved: Callable[[timedelta], None],
) -> None:
    append(2)
    log_key.sign()
    append(3)
    good = panels.log(REQUEST)
    assert (good.state, facts(good)["Last signed head"], facts(good)["Entries"]) == (Mark.OK, "entry 2", "5")
    assert facts(good)["Last verification"] == "never"
    moved(timedelta(minutes=6))
    late = panels.log(REQUEST)
    assert (late.state, late.summary) == (Mark.WARN, "3 entries without a signed head for over 5 minutes")
    job = queue.enqueue(VERIFY, subject=server.subject, actor=ANN)
    Job.objects.filter(pk=job.pk).update(result={"verdict": "altered"}, state=State.FAILED)
    assert panels.log(REQUEST).state is Mark.BAD


def test_backup_panel(server: Server, moved: Callable[[timedelta], None]) -> None:
    assert last_backup(REQUEST).state is Mark.WARN
    now = clock.now()
    Backup.objects.create(server=server, label=BackupLabel.MANUAL, asked_by="ann", asked_at=now, finished_at=now)
    assert last_backup(REQUEST).state is Mark.OK
    assert panels.first_backup(REQUEST).done
    moved(timedelta(days=40))
    assert "40 days ago" in last_backup(REQUEST).summary


def test_key_store_panel(server: Server) -> None:
    assert panels.key_store(REQUEST).state is Mark.WARN
    KeyStore.objects.create(server=server, protection=Protection.SEALING, changed_at=clock.now())
    assert panels.key_store(REQUEST).state is Mark.OK
    KeyStore.objects.update(problem="The password does not open it.")
    assert panels.key_store(REQUEST).state is Mark.BAD


def test_keys_and_hsm_panels_on_an_empty_server(server: Server) -> None:
    assert root_keys(REQUEST).state is Mark.BAD
    assert (panels.hsm(REQUEST).state, panels.hsm(REQUEST).summary) == (Mark.IDLE, "Not used: keys live in pki.db")


def test_a_second_administrator_is_a_step(server: Server, make_user: Callable[..., User]) -> None:
    make_user("first", RoleKey.ADMINISTRATOR)
    assert not panels.second_administrator(REQUEST).done
    make_user("second", RoleKey.ADMINISTRATOR)
    assert panels.second_administrator(REQUEST).done
