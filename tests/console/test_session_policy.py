"""When a session ends, and what is settled before anything else."""

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from allauth.mfa.totp.internal.auth import TOTP
from allauth.usersessions.models import UserSession
from django.contrib.sessions.models import Session
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from console.accounts.actions import Action
from console.accounts.models import User
from console.activity.models import Entry
from console.lib import clock
from console.lib.actor import Actor
from settings_store import store
from settings_store.models import Scope

pytestmark = pytest.mark.usefixtures("server")

PAGE = "/users/me/"
SIGN_IN = "/account/sign-in/"

Move = Callable[[float], None]


@pytest.fixture
def move(monkeypatch: pytest.MonkeyPatch) -> Move:
    """Move the clock to so many seconds after the test's begin."""
    begin = clock.now()
    present: list[datetime] = [begin]
    monkeypatch.setattr(clock, "now", lambda: present[0])

    def to(seconds: float) -> None:
        present[0] = begin + timedelta(seconds=seconds)

    return to


def set_flag(name: str, value: int) -> None:
    store.change(name, str(value), scope=Scope.GLOBAL, seen="default", actor=Actor.system("tests"))


def test_a_session_ends_after_fifteen_idle_minutes(admin: User, as_user: Callable[..., Client], move: Move) -> None:
    client = as_user(admin)
    move(899)
    assert client.get(PAGE).status_code == 200
    move(899 + 900)
    answer = client.get(PAGE)
    assert answer.headers["Location"].startswith(SIGN_IN)
    assert not Session.objects.exists() or not client.session.get("_auth_user_id")
    entry = Entry.objects.get(action=Action.SESSION_ENDED)
    assert (entry.subject_label, entry.details) == ("alice", '{"reason":"idle"}')
    assert "nothing happened for 15 minutes" in client.get(SIGN_IN).content.decode()


def test_the_limit_is_the_setting(admin: User, as_user: Callable[..., Client], move: Move) -> None:
    client = as_user(admin)
    set_flag("max_console_idle_seconds", 120)
    move(121)
    assert client.get(PAGE).status_code == 302


def test_twelve_hours_are_the_end_whatever_happens(admin: User, as_user: Callable[..., Client], move: Move) -> None:
    client = as_user(admin)
    for minutes in range(10, 12 * 60, 10):
        move(minutes * 60)
        assert client.get(PAGE).status_code == 200
    move(12 * 3600)
    assert client.get(PAGE).status_code == 302
    assert Entry.objects.get(action=Action.SESSION_ENDED).details == '{"reason":"age"}'


def test_a_fragment_request_sends_the_whole_page_away(admin: User, as_user: Callable[..., Client], move: Move) -> None:
    client = as_user(admin)
    move(901)
    answer = client.get("/users/", headers={"HX-Request": "true"})
    assert answer.headers["HX-Redirect"].startswith(SIGN_IN)


def test_the_session_is_written_once_a_minute(admin: User, as_user: Callable[..., Client], move: Move) -> None:
    client = as_user(admin)
    client.get(PAGE)
    move(30)
    with CaptureQueriesContext(connection) as half_a_minute:
        client.get(PAGE)
    move(61)
    with CaptureQueriesContext(connection) as a_minute:
        client.get(PAGE)
    assert not writes(half_a_minute)
    assert any("django_session" in sql for sql in writes(a_minute))


def writes(queries: CaptureQueriesContext) -> list[str]:
    return [query["sql"] for query in queries if query["sql"].startswith(("UPDATE", "INSERT", "DELETE"))]


def test_the_list_of_sessions_shows_when_one_was_used(admin: User, client: Client, move: Move) -> None:
    client.post(SIGN_IN, {"login": "alice", "password": "correct-horse-battery-staple"})
    move(300)
    client.get(PAGE)
    assert UserSession.objects.get().last_seen_at == clock.now()


def test_a_duty_sends_an_administrator_to_set_up_a_factor(admin_client: Client, auditor_client: Client) -> None:
    set_flag("require_mfa_for_administrators_flag", 1)
    assert admin_client.get(PAGE).headers["Location"] == "/account/second-factor/"
    assert "Set up a second factor to go on." in admin_client.get("/account/second-factor/").content.decode()
    assert admin_client.get("/account/second-factor/app/add/").status_code == 200
    assert admin_client.post("/users/new/", {"username": "x"}).status_code == 302
    assert auditor_client.get(PAGE).status_code == 200


def test_a_duty_that_is_done_is_not_asked_for(admin: User, admin_client: Client) -> None:
    set_flag("require_mfa_for_administrators_flag", 1)
    TOTP.activate(admin, "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP")
    assert admin_client.get(PAGE).status_code == 200
