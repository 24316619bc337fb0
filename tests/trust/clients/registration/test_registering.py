"""Registering: what is stored, what is refused and written down, and what a registration never changes."""

from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings
from pytest_django import DjangoAssertNumQueries

from console.accounts.models import User
from console.lib import clock
from console.servers.models import Server
from keys.models.root import Root, RootKind
from keys.models.subordinate import Subordinate
from settings_store import store
from settings_store.catalogue import Scope
from tests.trust import rows
from tests.trust.clients.registration.conftest import DAY, Machine, at, certify, forget
from trust.clients import counting, handing_out, registration, registration_standing
from trust.clients.changes import MOST_OF_ROW
from trust.clients.sightings import WRITE_EVERY, Sighting, Sightings, write
from trust.models.clients import NEVER, Client, ClientState, RegistrationChange, RootSet
from trust.models.documents import EVERYONE, DocumentKind, SignedDocument
from trust.models.questions import Question
from trust.wire.messages import HIGHEST_COUNTER

pytestmark = pytest.mark.django_db


def test_the_first_registration_is_stored_before_its_answer(enrolled: Client, machine: Machine, root: Root) -> None:
    answer = machine.register(roots=[root.fingerprint], full=True)
    assert answer.status_code == 200
    body = answer.json()
    assert (body["registered_as"], body["authenticated"]) == (str(enrolled.pk), True)
    assert 30 <= body["next_s"] <= 90
    row = Client.objects.get(name=machine.name, authenticated=True)
    assert (row.using_tls, row.version, row.counter, row.address) == (True, "7.6.1", 1, machine.address)
    assert row.registered_with == body["server"]
    assert row.holding
    assert row.holding.fingerprints == [root.fingerprint]
    assert row.root == root
    assert row.back_at == row.last_seen > NEVER
    assert RegistrationChange.objects.get(client=row).holding == row.holding


def test_a_registration_that_tells_nothing_new_reads_one_row_and_writes_nothing(
    enrolled: Client,
    machine: Machine,
    django_assert_num_queries: DjangoAssertNumQueries,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for cached in (registration_standing, handing_out):  # what is asked for once a second is not meant, however slow
        monkeypatch.setattr(cached, "KEPT_S", 3600.0)
        cached.forget()
    machine.register()
    with django_assert_num_queries(1):
        assert machine.register().status_code == 200
    assert RegistrationChange.objects.count() == 1


def test_last_seen_is_written_after_five_minutes(
    enrolled: Client, machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    at(monkeypatch, began := clock.now())
    seen = Sightings()
    monkeypatch.setattr(registration, "SIGHTINGS", seen)
    machine.register()
    at(monkeypatch, began + timedelta(minutes=4))
    machine.register()
    assert seen.flush() == 0
    later = began + WRITE_EVERY + timedelta(seconds=30)
    at(monkeypatch, later)
    machine.register()
    assert seen.flush() == 1
    enrolled.refresh_from_db()
    assert (enrolled.last_seen, enrolled.counter, enrolled.back_at) == (later, 3, began)
    # After a silence it is back, whether the registration tells something new or not.
    # So it is when the clock was ahead, and has been set back.
    for hours, told in ((1, {}), (3, {"version": "7.7"}), (2, {}), (1, {"version": "7.8"})):
        at(monkeypatch, back := began + timedelta(hours=hours))
        machine.register(**told)
        seen.flush()
        enrolled.refresh_from_db()
        assert (enrolled.last_seen, enrolled.back_at) == (back, back)


def test_a_batch_leaves_alone_what_says_something_later(server: Server) -> None:
    now = clock.now()
    late, early, known = (
        rows.client(server, name, counter=counter, last_seen=now) for name, counter in (("a", 0), ("b", 4), ("c", 9))
    )
    write(Sighting(client.pk, 5, now + timedelta(minutes=6)) for client in (known, early, late))
    stored = {row.name: (row.counter, row.last_seen > now) for row in Client.objects.all()}
    assert stored == {"a": (5, True), "b": (5, True), "c": (9, False)}


@pytest.mark.parametrize(
    "change",
    [{"version": "7.7.0"}, {"roots": ["ab" * 32]}, {"tls_mode": 2}],
    ids=["version", "roots", "mode"],
)
def test_what_is_new_is_stored_at_once(enrolled: Client, machine: Machine, change: dict[str, Any]) -> None:
    machine.register()
    machine.register(**change)
    enrolled.refresh_from_db()
    assert enrolled.counter == 2
    stored = {"version": enrolled.version, "tls_mode": enrolled.tls_mode}
    stored["roots"] = enrolled.holding.fingerprints if enrolled.holding else []
    assert {name: stored[name] for name in change} == change


def test_using_tls_follows_the_last_registration_only(  # CLI-04, TLS-34
    machine: Machine, admin: User
) -> None:
    allow("require_client_tls_315_flag", "0", admin)
    machine.is_tls = True
    machine.register()
    row = Client.objects.get(name=machine.name)
    assert row.using_tls
    machine.is_tls = False
    assert Client.objects.get(pk=row.pk).using_tls
    machine.register()
    assert not Client.objects.get(pk=row.pk).using_tls


def test_the_history_keeps_the_latest(enrolled: Client, machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registration, "KEPT_CHANGES", 3)
    for number in range(5):
        machine.register(version=f"7.{number}")
    assert [row.version for row in RegistrationChange.objects.filter(client=enrolled)] == ["7.4", "7.3", "7.2"]


def test_a_replay_is_refused_with_the_counter_and_the_client_goes_on(enrolled: Client, machine: Machine) -> None:
    machine.register(counter=50)
    machine.register()
    again = machine.register(counter=50)
    assert (again.status_code, again.json()["code"], again.json()["counter"]) == (409, "replayed", 51)
    assert machine.register(counter=52).status_code == 200


def test_another_process_refuses_a_replay_of_what_told_something(
    enrolled: Client, machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine.register(counter=50, version="7.5")
    monkeypatch.setattr(registration, "SIGHTINGS", Sightings())
    assert machine.register(counter=50, version="7.4").status_code == 409
    assert Client.objects.get(pk=enrolled.pk).version == "7.5"


def test_nobody_locks_a_name_out_with_the_highest_counter(machine: Machine, admin: User) -> None:
    allow("require_client_tls_315_flag", "0", admin)
    machine.shows, machine.is_tls = None, False
    assert machine.register(counter=2**62).status_code == 200
    refused = machine.register(counter=5)
    assert refused.json()["counter"] == HIGHEST_COUNTER
    assert machine.register(counter=HIGHEST_COUNTER + 1, version="7.7").status_code == 200


def test_what_proves_nothing_never_touches_the_client_that_does(  # decision 7
    enrolled: Client, machine: Machine, admin: User
) -> None:
    allow("require_client_tls_315_flag", "0", admin)
    machine.register()
    before = Client.objects.filter(pk=enrolled.pk).values().get()
    machine.shows, machine.is_tls, machine.address = None, False, "198.51.100.9"
    answer = machine.register(version="6.6.6", counter=900)
    assert answer.status_code == 200
    assert not answer.json()["authenticated"]
    assert Client.objects.filter(pk=enrolled.pk).values().get() == before
    other = Client.objects.get(name=machine.name, authenticated=False)
    assert (other.using_tls, other.version, other.counter) == (False, "6.6.6", 900)


def test_what_proves_nothing_is_answered_but_not_written_each_time(
    enrolled: Client, machine: Machine, admin: User
) -> None:
    allow("require_client_tls_315_flag", "0", admin)
    proof, machine.shows = machine.shows, None
    for number in range(MOST_OF_ROW + 3):
        assert machine.register(version=f"6.{number}", roots=[f"{number:064x}"], full=True).status_code == 200
    row = Client.objects.get(authenticated=False)
    assert row.version == f"6.{MOST_OF_ROW}"  # the first registration made the row
    assert (RegistrationChange.objects.filter(client=row).count(), RootSet.objects.count()) == (MOST_OF_ROW + 1,) * 2
    machine.shows = proof
    for number in range(MOST_OF_ROW + 3):
        machine.register(version=f"7.{number}")
    assert Client.objects.get(pk=enrolled.pk).version == f"7.{MOST_OF_ROW + 2}"


def test_a_revoked_name_does_not_come_back_without_tls(enrolled: Client, machine: Machine, admin: User) -> None:
    allow("require_client_tls_315_flag", "0", admin)
    machine.shows, machine.is_tls = None, False
    assert machine.register().status_code == 200  # a row of its own, of which nothing is proven
    Client.objects.filter(pk=enrolled.pk).update(state=ClientState.REVOKED, revoked_at=clock.now())
    assert refused(machine.register()) == (403, "client-revoked")
    Client.objects.filter(authenticated=False).delete()
    assert refused(machine.register()) == (403, "client-revoked")
    assert not Client.objects.filter(authenticated=False).exists()


def test_whose_certificate_does_not_count_is_told_so(
    enrolled: Client, machine: Machine, issuer: Subordinate, server: Server
) -> None:
    machine.name = "host-2"
    assert refused(machine.register()) == (403, "wrong-name")
    machine.name = "host-1"
    Client.objects.filter(pk=enrolled.pk).update(state=ClientState.REVOKED, revoked_at=clock.now())
    assert refused(machine.register()) == (403, "client-revoked")
    stranger = rows.client(server, "host-3")
    row = certify(stranger, issuer)
    machine.name, machine.shows = "host-3", bytes(row.der)
    row.delete()
    assert refused(machine.register()) == (401, "unknown-certificate")
    expired = certify(stranger, issuer)
    expired.not_before, expired.not_after = clock.now() - 9 * DAY, clock.now() - DAY
    expired.save()
    machine.shows = bytes(expired.der)
    assert refused(machine.register()) == (401, "certificate-expired")
    assert not RegistrationChange.objects.exists()


def test_the_settings_are_obeyed_without_a_restart(machine: Machine, admin: User) -> None:  # TLS-14 to TLS-17, TLS-19
    machine.is_tls = False
    old = {"protocol": 314, "version": "7.2.314"}
    assert refused(machine.register()) == (403, "tls-required")
    assert refused(machine.register(**old)) == (403, "protocol-disabled")
    assert not Client.objects.exists()
    allow("enable_protocol_314_flag", "1", admin)
    assert machine.register(**old).status_code == 200
    machine.is_tls = True
    assert machine.register(**old).status_code == 200
    assert Client.objects.get().using_tls
    assert refused(machine.register()) == (403, "enrol-first")
    allow("require_client_tls_314_flag", "1", admin)
    assert machine.register(**old).status_code == 200
    machine.is_tls = False
    assert refused(machine.register(**old)) == (403, "tls-required")
    allow("require_client_tls_315_flag", "0", admin)
    assert machine.register().status_code == 200
    assert refused(machine.register(**old)) == (403, "tls-required")


def test_a_refusal_stands_in_the_log_of_the_server_once(machine: Machine) -> None:
    machine.is_tls = False
    for _ in range(3):
        machine.register()
    lines = (settings.LOG_DIR / "pki-tls.log").read_text().splitlines()
    assert len(lines) == 1
    assert "client host-1 at 192.0.2.7" in lines[0]
    assert "tls-required: Client 7.4 or later must use TLS" in lines[0]


def test_no_client_has_the_name_of_a_server(machine: Machine, server: Server, admin: User) -> None:
    allow("require_client_tls_315_flag", "0", admin)
    machine.is_tls = False
    for name in (server.fqdn, f"legacy.{server.fqdn}"):
        machine.name = name
        assert refused(machine.register()) == (403, "reserved-name")
    assert not Client.objects.exists()


def test_the_answer_brings_what_is_newer_and_what_is_for_this_client(
    enrolled: Client, machine: Machine, server: Server
) -> None:
    document(server, DocumentKind.SETTINGS, 7)
    document(server, DocumentKind.TRUST_LIST, 9)
    document(server, DocumentKind.DIRECTIVE, 4, audience=str(enrolled.pk))
    Client.objects.filter(pk=enrolled.pk).update(own_sequence=4)
    asked = document(server, DocumentKind.QUESTION, 11)
    Question.objects.create(
        server=server, kind="using-tls", asked_by="quentin", asked_at=clock.now(), closes_at=clock.now() + DAY,
        document=asked,
    )  # fmt: skip
    forget()

    def kinds(**held: int) -> list[str]:
        return [one["kind"] for one in machine.register(**held).json()["documents"]]

    assert kinds() == ["trust-list", "settings", "directive", "question"]
    assert kinds(trust_list=9, settings=6, own_directive=4, question=11) == ["settings"]
    held = {"trust_list": 9, "settings": 7, "question": 11}
    assert kinds(**held, own_directive=4) == []
    # One counter numbers both kinds that are for one client: what it holds of one says nothing about the other.
    document(server, DocumentKind.SETTINGS, 5, audience=str(enrolled.pk))
    document(server, DocumentKind.DIRECTIVE, 6, audience=str(enrolled.pk))
    Client.objects.filter(pk=enrolled.pk).update(own_sequence=6)
    assert kinds(**held, own_settings=0, own_directive=6, full=True) == ["settings"]
    assert kinds(**held, own_settings=5, own_directive=4) == ["directive"]
    assert kinds(**held, own_settings=5, own_directive=6, full=True) == []


def test_the_certificate_of_legacy_root_is_given_only_while_protocol_314_is_on(
    machine: Machine, server: Server, admin: User
) -> None:
    made = rows.root(server, 99, certificate_der=b"legacy")
    Root.objects.filter(pk=made.pk).update(kind=RootKind.LEGACY, number=None)
    answer = machine.http.get("/v1/legacy-root")
    assert refused(answer) == (403, "protocol-disabled")
    allow("enable_protocol_314_flag", "1", admin)
    answer = machine.http.get("/v1/legacy-root")
    assert (answer.status_code, answer.content, answer.headers["Content-Type"]) == (
        200,
        b"legacy",
        "application/pkix-cert",
    )


def document(server: Server, kind: DocumentKind, sequence: int, audience: str = EVERYONE) -> SignedDocument:
    return SignedDocument.objects.create(
        server=server, kind=kind, audience=audience, sequence=sequence, digest="0" * 64, payload=b"payload",
        signature=b"signature", signer_der=b"signer", created_at=clock.now(), expires_at=clock.now() + DAY,
    )  # fmt: skip


def allow(name: str, value: str, admin: User) -> None:
    """Save a setting, as its form does."""
    row = store.find(name, Scope.GLOBAL)
    store.change(name, value, scope=Scope.GLOBAL, seen=row.token if row else store.DEFAULT_TOKEN, actor=admin.actor)
    forget()


def refused(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


def test_sets_of_roots_that_nobody_names_are_forgotten(enrolled: Client, machine: Machine, server: Server) -> None:
    machine.register(roots=["ab" * 32])
    RootSet.objects.create(digest="0" * 64, fingerprints=[])
    counting.count(server)
    assert [row.fingerprints for row in RootSet.objects.all()] == [["ab" * 32]]
