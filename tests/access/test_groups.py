"""Every page about a group, for every role in the group and in the console, reading and writing (ROL-09)."""

import html
import re
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http import HTTPStatus

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from django.db import transaction
from django.http import HttpResponseBase
from django.test import Client
from django.urls import reverse

from console.accounts.grants import RoleKey
from console.accounts.models import User
from console.activity.models import Entry
from console.jobs import kinds, queue
from console.jobs.models import Job, State
from console.lib import clock
from console.lib.digest import spki_fingerprint
from console.servers.models import Server
from hsm.models.groups import Connection, ConnectionKind, Group, GroupKind, GroupMember, GroupRole, HsmType
from hsm.models.objects import Family, ObjectState, Origin, SecurityObject
from hsm.rights import GRANTS, Right
from tests.access.groups import OF_NO_GROUP, RIGHTS
from tests.access.routes import Route, routes

ROUTES = {route.name.removeprefix("hsm:"): route for route in routes() if route.name.startswith("hsm:")}
STRANGER: frozenset[Right] = frozenset()

Clients = dict[str, tuple[Client, frozenset[Right]]]


@dataclass(frozen=True)
class Place:
    """An HSM group that cannot be reached, with a key, a connection, a member and a sync."""

    arguments: dict[str, object]

    def path(self, route: Route) -> str:
        """Return the address of a page about this group."""
        return reverse(route.name, kwargs={name: self.arguments[name] for name, _ in route.arguments})


@pytest.fixture
def place(server: Server, make_user: Callable[..., User]) -> Place:
    now = clock.now()
    group = Group.objects.create(
        server=server,
        title="Luna production",
        kind=GroupKind.HSM,
        hsm_type=HsmType.LUNA,
        created_at=now,
        created_by="alice",
    )
    connections = [
        Connection.objects.create(
            group=group, position=position, kind=ConnectionKind.MODULE, module_path="/no/such.so", created_at=now
        )
        for position in (1, 2)
    ]
    spki = (
        ec.generate_private_key(ec.SECP256R1())
        .public_key()
        .public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    )
    key = SecurityObject.objects.create(
        group=group,
        name="payments",
        family=Family.KEY_PAIR,
        spec="ec-p256",
        key_type="EC",
        bits=256,
        key_id=uuid.uuid4().hex,
        spki_der=spki,
        fingerprint=spki_fingerprint(spki),
        operations=["sign", "verify"],
        origin=Origin.GENERATED,
        state=ObjectState.ACTIVE,
        created_at=now,
        created_by="alice",
    )
    member = make_user("max")
    GroupMember.objects.create(group=group, user=member, role=GroupRole.MEMBER, added_at=now, added_by="alice")
    sync = queue.enqueue(kinds.get("hsm.sync"), subject=group.subject, actor=member.actor)
    Job.objects.filter(pk=sync.pk).update(state=State.SUCCEEDED, finished_at=now)
    return Place(
        {
            "group_id": group.pk,
            "connection_id": connections[0].pk,
            "object_id": key.pk,
            "use_id": uuid.uuid4(),
            "user_id": member.pk,
            "job_id": sync.pk,
            "how": "down",
        }
    )


@pytest.fixture
def clients(place: Place, make_user: Callable[..., User], as_user: Callable[..., Client]) -> Clients:
    """Sign everybody in: each role of the group, each role of the console, and who has neither."""
    group = Group.objects.get()
    people: Clients = {
        "Administrator": (as_user(make_user("alice", RoleKey.ADMINISTRATOR)), frozenset(Right)),
        "Auditor": (as_user(make_user("olga", RoleKey.AUDITOR)), frozenset({Right.SEE})),
        "stranger": (as_user(make_user("norman")), STRANGER),
    }
    for role in GroupRole:
        user = make_user(f"group-{role}")
        GroupMember.objects.create(group=group, user=user, role=role, added_at=clock.now(), added_by="alice")
        people[f"group {role.label}"] = as_user(user), GRANTS[role]
    return people


def test_every_page_of_a_group_stands_in_the_table_and_no_other() -> None:
    assert set(RIGHTS) | OF_NO_GROUP == set(ROUTES)


@pytest.mark.parametrize("name", sorted(RIGHTS))
def test_each_role_reaches_what_it_may_and_nothing_else(name: str, place: Place, clients: Clients) -> None:
    path = place.path(ROUTES[name])
    for who, granted, method, answer, entries in _answers(path, clients):
        needed = RIGHTS[name][method == "post"]
        where = f"{method} {path} as {who}: {answer.status_code}"
        if needed is None:
            assert answer.status_code == HTTPStatus.METHOD_NOT_ALLOWED, where
        elif needed in granted:
            assert answer.status_code not in {HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND}, where
            assert answer.status_code < HTTPStatus.INTERNAL_SERVER_ERROR, where
        elif Right.SEE in granted:
            assert answer.status_code == HTTPStatus.FORBIDDEN, where
            assert entries == (["access.refused"] if method == "post" else []), where
        else:
            assert answer.status_code == HTTPStatus.NOT_FOUND, where
            assert entries == [], where


def test_a_stranger_is_told_of_no_group(place: Place, clients: Clients) -> None:
    client, _ = clients["stranger"]
    for name in ("groups", "objects", "object-new", "objects-export"):
        answer = client.get(reverse(f"hsm:{name}"))
        assert "Luna production" not in answer.content.decode()
        assert "payments" not in answer.content.decode()


@pytest.mark.parametrize("who", [f"group {role.label}" for role in GroupRole] + ["Auditor"])
def test_no_link_leads_where_the_role_may_not_go(who: str, place: Place, clients: Clients) -> None:
    """What a role cannot do has no link: neither to pages of the group nor to those of the console."""
    client, granted = clients[who]
    starts = {"/", reverse("hsm:groups"), reverse("hsm:objects"), reverse("accounts:profile")}
    starts |= {place.path(ROUTES[name]) for name, (needed, _) in RIGHTS.items() if needed in granted}
    links: dict[str, str] = {}
    for start in sorted(starts):
        page = client.get(start).content.decode(errors="replace")
        links |= {html.unescape(found): start for found in re.findall(r'(?:href|hx-get)="(/[^"#]*)', page)}
    assert len(links) >= len(starts)
    refused = {HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND}
    dead = {
        link: start
        for link, start in links.items()
        if not link.startswith(("/static/", "/help/")) and client.get(link).status_code in refused
    }
    assert dead == {}


def _answers(path: str, clients: Clients) -> Iterator[tuple[str, frozenset[Right], str, HttpResponseBase, list[str]]]:
    """Ask as everybody; what a request changed is undone before the next one."""
    for who, (client, granted) in clients.items():
        client.raise_request_exception = False
        for method in ("get", "post"):
            last = Entry.objects.order_by("-seq").values_list("seq", flat=True).first() or 0
            before = transaction.savepoint()
            answer = getattr(client, method)(path)
            entries = list(Entry.objects.filter(seq__gt=last).values_list("action", flat=True))
            transaction.savepoint_rollback(before)
            yield who, granted, method, answer, entries
