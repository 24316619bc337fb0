"""Who may look at a job without a role that reads everything: whoever asked for it, and whom an app lets."""

from collections.abc import Callable, Iterator
from http import HTTPStatus

import pytest
from django.test import Client
from django.urls import reverse

from console.accounts.models import User
from console.jobs import queue, seeing
from console.jobs.kinds import JobKind
from console.jobs.models import Job
from console.lib.subject import Subject
from console.servers.models import Server
from tests.console.jobs.conftest import ALICE, THING

GROUP = Subject("test-group", "g1", "Luna production")


@pytest.fixture
def _members_of_g1(plain_user: User) -> Iterator[None]:
    """Let a user see the jobs about one subject."""
    seeing.register(GROUP.kind, lambda user, subject_id: user == plain_user and subject_id == GROUP.id)
    yield
    del seeing._rules[GROUP.kind]


def answers(client: Client, job: Job) -> set[int]:
    """Return the statuses of the page and the card."""
    return {client.get(reverse(name, args=[job.pk])).status_code for name in ("jobs:detail", "jobs:card")}


def test_readers_see_every_job(
    make_kind: Callable[..., JobKind], make_job: Callable[..., Job], auditor_client: Client
) -> None:
    job = make_job(make_kind())
    assert auditor_client.get(reverse("jobs:detail", args=[job.pk])).status_code == HTTPStatus.OK
    assert "In the activity log" in auditor_client.get(reverse("jobs:detail", args=[job.pk])).content.decode()


def test_the_job_of_somebody_else_is_not_there(
    make_kind: Callable[..., JobKind], make_job: Callable[..., Job], user_client: Client
) -> None:
    assert answers(user_client, make_job(make_kind())) == {HTTPStatus.NOT_FOUND}


def test_who_asked_for_a_job_sees_it_and_no_log(
    make_kind: Callable[..., JobKind], server: Server, plain_user: User, user_client: Client
) -> None:
    job = queue.enqueue(make_kind(), subject=THING, actor=plain_user.actor, server=server)
    page = user_client.get(reverse("jobs:detail", args=[job.pk]))
    assert page.status_code == HTTPStatus.OK
    assert "In the activity log" not in page.content.decode()
    assert f'href="{reverse("jobs:list")}"' not in page.content.decode()
    assert user_client.get(reverse("jobs:card", args=[job.pk])).status_code == HTTPStatus.OK


@pytest.mark.usefixtures("_members_of_g1")
def test_an_app_may_let_others_see_what_is_about_their_things(
    make_kind: Callable[..., JobKind],
    server: Server,
    user_client: Client,
    make_user: Callable[..., User],
    as_user: Callable[..., Client],
) -> None:
    kind = make_kind()
    theirs = queue.enqueue(kind, subject=GROUP, actor=ALICE, server=server)
    other = queue.enqueue(kind, subject=Subject(GROUP.kind, "g2", "Other"), actor=ALICE, server=server)
    assert answers(user_client, theirs) == {HTTPStatus.OK}
    assert answers(user_client, other) == {HTTPStatus.NOT_FOUND}
    assert answers(as_user(make_user("mallory")), theirs) == {HTTPStatus.NOT_FOUND}
