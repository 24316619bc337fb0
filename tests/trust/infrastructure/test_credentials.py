"""Enrolment credentials: what they are good for, who enrolled with one, and who would be left without it."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from django.db import IntegrityError, transaction
from django.test import Client as Browser
from django.urls import reverse

from console.accounts.models import User
from console.activity.models import Entry
from console.lib import clock
from console.lib.actor import Actor, ActorKind
from console.servers.models import Server
from keys.models.subordinate import Subordinate
from tests.trust import rows
from trust.infrastructure import credentials, stranded
from trust.infrastructure.credentials import CredentialState, Limits
from trust.models.certificates import Certificate, Ground
from trust.models.clients import NEVER, Client, ClientState, PendingEnrolment
from trust.models.credentials import Credential

pytestmark = pytest.mark.django_db

ALICE = Actor(ActorKind.USER, "alice", "1")
HTMX = {"HX-Request": "true"}


@pytest.fixture
def credential(server: Server) -> Credential:
    """Return a credential whose file was handed out."""
    made = credentials.intend(server, Limits(most_uses=100, days=30, note="Berlin office"), actor=ALICE)
    made.secret_sha256 = "ab" * 32
    made.save()
    return made


def text(answer: Any) -> str:
    return answer.content.decode()  # type: ignore[no-any-return]


def url(name: str, credential: Credential) -> str:
    return reverse(f"trust:{name}", args=[credential.pk])


@pytest.mark.parametrize(
    ("columns", "state"),
    [
        ({}, CredentialState.VALID),
        ({"secret_sha256": ""}, CredentialState.MAKING),
        ({"uses": 99}, CredentialState.VALID),
        ({"uses": 100}, CredentialState.EXHAUSTED),
        ({"expires_at": clock.now() - timedelta(seconds=1), "uses": 100}, CredentialState.EXPIRED),
        ({"withdrawn_at": clock.now(), "uses": 100}, CredentialState.WITHDRAWN),
    ],
)
def test_what_a_credential_is_good_for(credential: Credential, columns: dict[str, Any], state: CredentialState) -> None:
    for name, value in columns.items():
        setattr(credential, name, value)
    assert credentials.state(credential, clock.now()) == state


def test_the_database_refuses_one_use_too_many(credential: Credential) -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        Credential.objects.filter(pk=credential.pk).update(uses=101)


def test_a_credential_that_is_used_up_is_written_down_once(credential: Credential, server: Server) -> None:
    assert credentials.note_exhausted(server, clock.now()) == 0
    Credential.objects.filter(pk=credential.pk).update(uses=100)
    assert credentials.note_exhausted(server, clock.now()) == 1
    assert credentials.note_exhausted(server, clock.now()) == 0
    entry = Entry.objects.get(action="trust.credential.exhausted")
    assert entry.subject_id == str(credential.pk)


def enrol(credential: Credential, name: str, **columns: Any) -> Client:
    """Make a client that enrolled with the credential and registered after that."""
    made = rows.client(credential.server, name, credential=credential, **columns)
    issuer = Subordinate.objects.first() or rows.intermediate(rows.root(credential.server, 0))
    rows.certificate(made, issuer, issued_at=clock.now() - timedelta(hours=1))
    return made


def wait(client: Client, credential: Credential, key: str) -> None:
    now = clock.now()
    PendingEnrolment.objects.create(
        client=client, credential=credential, spki_fingerprint=key * 32, first_at=now, last_at=now
    )


def test_who_would_have_no_other_way_back(credential: Credential) -> None:
    enrol(credential, "well.example.com")
    enrol(credential, "lost.example.com", last_seen=NEVER)
    renewed = enrol(credential, "renewed.example.com", last_seen=NEVER)
    issuer = Certificate.objects.filter(client=renewed).get().issuer
    proven = rows.certificate(renewed, issuer)  # with this one it proved the key of the one before
    Certificate.objects.filter(pk=proven.pk).update(ground=Ground.RENEWAL)
    enrol(credential, "revoked.example.com", last_seen=NEVER, state=ClientState.REVOKED, revoked_at=clock.now())
    other = credentials.intend(credential.server, Limits(), actor=ALICE)
    enrol(other, "other.example.com", last_seen=NEVER)
    again = enrol(other, "again.example.com")
    wait(again, credential, "aa")
    wait(again, credential, "bb")  # two keys, one client
    wait(enrol(other, "elsewhere.example.com"), other, "cc")
    found = stranded.stranded(credential)
    assert (found.waiting, found.unheard) == (("again.example.com",), ("lost.example.com",))
    assert (found.waiting_count, found.unheard_count, found.count) == (1, 1, 2)
    assert replace(found, unheard=()).digest != found.digest


def test_many_names_are_cut_but_counted(credential: Credential, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stranded, "SHOWN", 2)
    for number in range(3):
        enrol(credential, f"c{number}.example.com", last_seen=NEVER)
    found = stranded.stranded(credential)
    assert (found.unheard, found.unheard_count) == (("c0.example.com", "c1.example.com"), 3)


def test_the_dialog_names_them_and_withdraws_what_was_read(credential: Credential, admin_client: Browser) -> None:
    enrol(credential, "lost.example.com", last_seen=NEVER)
    shown = admin_client.get(url("credential-withdraw", credential))
    assert "lost.example.com" in text(shown)
    seen = shown.context["stranded"].digest
    enrol(credential, "lost-too.example.com", last_seen=NEVER)
    changed = admin_client.post(url("credential-withdraw", credential), {"seen": seen})
    assert changed.status_code == 409
    assert "lost-too.example.com" in text(changed)
    credential.refresh_from_db()
    assert credential.withdrawn_at is None
    in_place = admin_client.post(url("credential-withdraw", credential), {"seen": seen}, headers=HTMX)
    assert in_place.status_code == 422
    seen = changed.context["stranded"].digest
    done = admin_client.post(url("credential-withdraw", credential), {"seen": seen}, follow=True)
    assert "enrols nobody any more" in text(done)
    credential.refresh_from_db()
    assert (credential.withdrawn_by, credential.withdrawn_at is not None) == ("alice", True)
    entry = Entry.objects.get(action="trust.credential.withdrawn")
    assert (entry.actor, '"without another way":2' in entry.details) == ("alice", True)
    again = admin_client.post(url("credential-withdraw", credential), {"seen": seen})
    assert again.status_code == 409
    assert Entry.objects.filter(action="trust.credential.withdrawn").count() == 1


def test_withdrawing_needs_a_recent_sign_in(
    credential: Credential, admin: User, as_user: Callable[..., Browser]
) -> None:
    stale = as_user(admin, recent=False)
    answer = stale.post(url("credential-withdraw", credential), {"seen": stranded.stranded(credential).digest})
    assert answer.status_code == 302
    credential.refresh_from_db()
    assert credential.withdrawn_at is None


def test_the_list_and_the_page_of_one(credential: Credential, auditor_client: Browser) -> None:
    client = enrol(credential, "well.example.com")
    Credential.objects.filter(pk=credential.pk).update(uses=1)
    listed = text(auditor_client.get(reverse("trust:credentials")))
    assert "Berlin office" in listed
    page = text(auditor_client.get(url("credential", credential)))
    assert client.name in page
    assert "99" in page
    assert "Withdraw</a>" not in page  # an auditor looks
    assert credential.secret_sha256 not in page + listed


def test_clients_are_paged_by_key(credential: Credential, auditor_client: Browser, monkeypatch: Any) -> None:
    for number in range(3):
        rows.client(credential.server, f"c{number}.example.com", credential=credential)
    monkeypatch.setattr("console.lib.keyset.page.__kwdefaults__", {"cursor": "", "size": 2})
    first = auditor_client.get(url("credential", credential))
    second = auditor_client.get(url("credential", credential), {"at": first.context["page"].next})
    names = [row.name for answer in (first, second) for row in answer.context["page"].rows]
    assert sorted(names) == ["c0.example.com", "c1.example.com", "c2.example.com"]
    assert len(second.context["page"].rows) == 1
