"""Every URL, every role, reading and writing: nobody reaches what is not theirs (ROL-01, ROL-02, AMB-35)."""

from collections.abc import Callable, Iterator
from functools import cache
from urllib.parse import urlsplit

import pytest
from django.http import HttpResponseBase
from django.test import Client

from console.accounts.grants import RoleKey
from console.accounts.models import User
from console.activity.models import Entry
from console.jobs.models import Job
from console.lib.capability import Capability
from console.servers.models import Server
from tests.access.routes import Route, routes
from tests.access.table import GRANTED, LEAVES_A_TRACE, TABLE, Role, Row

pytestmark = pytest.mark.one_database  # who may do what is decided in Python

ROUTES = {route.name: route for route in routes()}
SIGN_IN, CONFIRM = "/account/sign-in/", "/account/confirm/"
REFUSAL = "Your roles do not allow this"
USERS = {
    Role.ADMINISTRATOR: ("alice", RoleKey.ADMINISTRATOR),
    Role.AUDITOR: ("olga", RoleKey.AUDITOR),
    Role.QUESTION_USER: ("quentin", RoleKey.QUESTION_USER),
    Role.NONE: ("norman",),
}


def test_every_url_stands_in_the_table_and_no_other() -> None:
    assert set(ROUTES) == set(TABLE)


@pytest.mark.parametrize("name", sorted(TABLE))
def test_every_view_declares_what_the_table_says(name: str) -> None:
    assert Row(*ROUTES[name].declared) == TABLE[name]  # type: ignore[arg-type]


@pytest.fixture
def clients(server: Server, make_user: Callable[..., User], as_user: Callable[..., Client]) -> Callable[..., Client]:
    """Give a fresh client of a role: a request may end its session. A role's user is made when first asked for."""

    @cache
    def user(role: Role) -> User:
        return make_user(*USERS[role])

    def make(role: Role, *, recent: bool = True) -> Client:
        return Client() if role is Role.ANONYMOUS else as_user(user(role), recent=recent)

    return make


@pytest.mark.parametrize("name", sorted(TABLE))
def test_nobody_reaches_what_is_not_theirs(name: str, clients: Callable[..., Client]) -> None:
    row, route = TABLE[name], ROUTES[name]
    for role, method, answer in _answers(route, clients):
        where = f"{method} {route.path} as {role}: {answer.status_code}"
        if row.capability in GRANTED[role]:
            assert answer.status_code < 500, where
            assert not _is_refused(answer), where
            assert row.capability is Capability.PUBLIC or _leads_to(answer) != SIGN_IN, where
        elif role is Role.ANONYMOUS:
            assert _leads_to(answer) == SIGN_IN, where
        else:
            assert _is_refused(answer), where
            if method == "post":
                newest = Entry.objects.order_by("-seq").first()
                assert newest is not None
                assert (newest.action, newest.outcome) == ("access.refused", "refused"), where


@pytest.mark.parametrize("name", sorted(name for name, row in TABLE.items() if row.recent))
def test_what_is_dangerous_asks_for_a_recent_sign_in(name: str, clients: Callable[..., Client]) -> None:
    client = clients(Role.ADMINISTRATOR, recent=False)
    for method in ("get", "post"):
        answer = getattr(client, method)(ROUTES[name].path)
        assert _leads_to(answer) == CONFIRM, f"{method} {name}"


@pytest.mark.parametrize("name", sorted(name for name, row in TABLE.items() if row.capability is not Capability.PUBLIC))
def test_no_form_is_taken_from_another_site(name: str, clients: Callable[..., Client]) -> None:
    client = clients(Role.ADMINISTRATOR)
    client.handler.enforce_csrf_checks = True
    assert client.post(ROUTES[name].path).status_code == 403


@pytest.mark.parametrize("name", sorted(name for name, row in TABLE.items() if row.capability is Capability.READ))
def test_a_reader_changes_nothing(name: str, clients: Callable[..., Client]) -> None:
    client = clients(Role.AUDITOR)
    before = Entry.objects.count(), Job.objects.count()
    client.post(ROUTES[name].path)
    assert (Entry.objects.count(), Job.objects.count()) == before or name in LEAVES_A_TRACE


def _answers(route: Route, clients: Callable[..., Client]) -> Iterator[tuple[Role, str, HttpResponseBase]]:
    for role in Role:
        for method in ("get", "post"):
            client = clients(role)
            client.raise_request_exception = False
            yield role, method, getattr(client, method)(route.path)


def _is_refused(answer: HttpResponseBase) -> bool:
    content = b"" if answer.streaming else answer.content  # type: ignore[attr-defined]
    return answer.status_code == 403 and REFUSAL in content.decode()


def _leads_to(answer: HttpResponseBase) -> str:
    return urlsplit(answer.headers.get("Location", "")).path
