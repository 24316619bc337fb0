"""What the worker signs for clients, when, and by which key."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection

from console.activity.models import Entry
from console.jobs.models import Job, State
from console.lib import clock
from console.servers.models import Server
from keys import revocation
from keys.models.root import Root
from keys.models.subordinate import Subordinate
from keys.profiles import MESSAGE_SIGNING_EKU
from keys.purposes import Purpose
from settings_store import store
from settings_store.models import Scope
from tests.keys.conftest import ALICE
from tests.keys.test_revocation import plan
from trust import anchors
from trust.actions import Action
from trust.anchors import Held
from trust.errors import OutdatedError
from trust.models.clients import Client
from trust.models.documents import SignedDocument
from trust.publishing import carried, directives, latest, ordering, publishing, rounds, settings, signing, trustlist
from trust.wire import signatures, signed
from trust.wire.documents import Directive, Payload, Settings, TrustList, decode
from trust.wire.signed import Kind

pytestmark = pytest.mark.django_db

NOBODY = "00000000-0000-4000-8000-000000000000"
MakeRoot = Callable[..., Root]
RunJobs = Callable[..., list[Job]]


def publish(server: Server, run_jobs: RunJobs) -> latest.Latest:
    publishing.start_due(server)
    run_jobs()
    return latest.latest(server)


def opened(document: SignedDocument | None, kind: type[Any]) -> Any:
    """Return what a document says, after a client's check of its signature."""
    assert document is not None
    envelope = latest.envelope(document)
    signed.check(signed.decode(signed.encode(envelope)))
    return decode(envelope.payload, kind)


def held(*roots: Root) -> Held:
    return Held({str(root.fingerprint): bytes(root.certificate_der) for root in roots})


def revoke(root: Root, run_jobs: RunJobs, reason: str = "policy") -> None:
    revocation.request(root, plan(root, reason=reason), actor=ALICE)
    run_jobs()
    root.refresh_from_db()


def test_nothing_is_signed_before_there_is_a_root(server: Server, run_jobs: RunJobs) -> None:
    assert publish(server, run_jobs) == latest.Latest()
    assert publishing.start_due(server) == "What is signed for clients is up to date."


def test_the_newest_root_signs_the_trust_list_and_the_message_key_the_settings(  # AMB-03, BND-12
    make_root: MakeRoot, server: Server, run_jobs: RunJobs
) -> None:
    old, new = make_root(), make_root()
    now = publish(server, run_jobs)
    listed: TrustList = opened(now.trust_list, TrustList)
    assert [root.name for root in listed.roots] == [new.name, old.name]
    assert (listed.revoked, listed.expires_at, listed.audience) == ((), None, "*")
    assert now.trust_list is not None
    assert bytes(now.trust_list.signer_der) == bytes(new.certificate_der)
    told: Settings = opened(now.settings, Settings)
    assert told.settings["pki_client_tls_key_duration_days"] == 7
    assert told.settings["TLSMode"] == 1
    assert told.expires_at is not None
    assert now.directive is None
    # Whoever holds only the old root believes both.
    assert anchors.accept(held(old), listed, bytes(now.trust_list.signer_der)).added == (str(new.fingerprint),)
    assert now.settings is not None
    envelope = latest.envelope(now.settings)
    chain = (envelope.signer, *envelope.chain)
    assert anchors.leads_to(chain, held(old), MESSAGE_SIGNING_EKU) == old.fingerprint
    entries = Entry.objects.filter(action__startswith="trust.").values_list("action", flat=True)
    assert sorted(entries) == sorted([Action.TRUST_LIST_PUBLISHED, Action.SETTINGS_PUBLISHED])


def test_what_says_nothing_new_is_not_signed_again_until_it_is_a_day_old(
    make_root: MakeRoot,
    server: Server,
    run_jobs: RunJobs,
    move_clock: Callable[..., None],
    django_assert_max_num_queries: Any,
) -> None:
    make_root()
    first = publish(server, run_jobs)
    with django_assert_max_num_queries(10):
        assert publishing.start_due(server) == "What is signed for clients is up to date."
    move_clock(hours=25)
    again = publish(server, run_jobs)
    assert again.trust_list == first.trust_list  # it never expires
    assert first.settings is not None
    assert again.settings is not None
    assert again.settings.sequence > first.settings.sequence
    assert again.settings.digest == first.settings.digest
    assert list(again.newer(clock.now(), trust_list=first.trust_list.sequence)) == [again.settings]  # type: ignore[union-attr]
    move_clock(days=20)
    assert list(again.newer(clock.now())) == [again.trust_list]


def test_a_changed_setting_and_a_new_message_key_are_published(
    make_root: MakeRoot, server: Server, run_jobs: RunJobs
) -> None:
    make_root()
    first = publish(server, run_jobs)
    store.change("TLSMode", "0", scope=Scope.GLOBAL, seen="default", actor=ALICE)
    second = publish(server, run_jobs)
    assert opened(second.settings, Settings).settings["TLSMode"] == 0
    before = Subordinate.objects.active(server).get(purpose=Purpose.MESSAGE_SIGNING)
    make_root()
    third = publish(server, run_jobs)
    assert before.certificate_der
    assert bytes(third.settings.signer_der) != bytes(before.certificate_der)  # type: ignore[union-attr]
    assert third.settings.sequence > second.settings.sequence > first.settings.sequence  # type: ignore[union-attr]


def test_a_revoked_root_is_listed_with_its_reason_and_clients_are_told_to_forget_it(  # KEY-27, KEY-57
    make_root: MakeRoot, server: Server, run_jobs: RunJobs
) -> None:
    old, new = make_root(), make_root()
    before = publish(server, run_jobs)
    revoke(old, run_jobs)
    after = publish(server, run_jobs)
    listed: TrustList = opened(after.trust_list, TrustList)
    assert [(root.fingerprint, root.compromised) for root in listed.revoked] == [(old.fingerprint, False)]
    assert listed.crosses  # the old root still leads on whoever knows only it
    assert anchors.accept(held(old), listed, bytes(new.certificate_der)).held.roots.keys() == {new.fingerprint}
    order: Directive = opened(after.directive, Directive)
    assert (order.order, order.trust_list) == ("reset-trust", listed.sequence)
    assert listed.sequence > before.trust_list.sequence  # type: ignore[union-attr]
    newest = make_root()
    later = publish(server, run_jobs)
    assert [root.name for root in opened(later.trust_list, TrustList).roots] == [newest.name, new.name]
    repeated: Directive = opened(later.directive, Directive)
    assert repeated.trust_list == order.trust_list  # the same order: clients obey it once


def test_a_compromised_root_is_carried_over_by_nobody(  # KEY-41, KEY-36
    make_root: MakeRoot, server: Server, run_jobs: RunJobs
) -> None:
    oldest, old, new = make_root(), make_root(), make_root()
    assert len(carried.crosses(server)) == 6
    revoke(old, run_jobs, reason="compromised")
    crosses = [signatures.certificate_of(der) for der in carried.crosses(server)]
    assert {cross.subject.rfc4514_string() for cross in crosses} == {
        signatures.certificate_of(bytes(root.certificate_der)).subject.rfc4514_string() for root in (oldest, new)
    }
    after = publish(server, run_jobs)
    listed: TrustList = opened(after.trust_list, TrustList)
    assert listed.revoked[0].compromised
    assert listed.crosses == carried.crosses(server)
    with pytest.raises(Exception, match="No root that is held leads"):
        anchors.accept(held(old), listed, bytes(new.certificate_der))
    assert anchors.accept(held(oldest), listed, bytes(new.certificate_der)).added == (new.fingerprint,)


def test_what_waits_for_clients_leads_nobody_on_from_a_compromised_root(  # KEY-41
    make_root: MakeRoot, server: Server, run_jobs: RunJobs
) -> None:
    oldest, old, _new = make_root(), make_root(), make_root()
    publish(server, run_jobs)

    def order(sequence: int) -> Payload:
        return directives.reset_trust(server, NOBODY, sequence, clock.now(), trust_list=1)

    document = signing.sign_document(server, Kind.DIRECTIVE, order, audience=NOBODY)

    def leads_on(root: Root) -> bool:
        document.refresh_from_db()
        envelope = latest.envelope(document)
        return anchors.leads_to((envelope.signer, *envelope.chain), held(root), MESSAGE_SIGNING_EKU) is not None

    assert leads_on(old)
    chain = document.chain
    revoke(old, run_jobs, reason="compromised")
    rounds.look(server)
    assert not leads_on(old)
    assert leads_on(oldest)
    assert carried.withdraw(server, clock.now()) == 0
    # One that is signed again meanwhile keeps its new chain.
    rows = SignedDocument.objects.filter(pk=document.pk)
    rows.update(chain=chain)
    signed_again = {"signature": b"newer", "chain": ["newer"]}

    def overtake(execute: Callable[..., object], sql: str, *arguments: object) -> object:
        if signed_again and sql.startswith("UPDATE"):
            newer = dict(signed_again)
            signed_again.clear()
            rows.update(**newer)
        return execute(sql, *arguments)

    with connection.execute_wrapper(overtake):
        assert carried.withdraw(server, clock.now()) == 0
    document.refresh_from_db()
    assert document.chain == ["newer"]


@pytest.mark.one_database
def test_an_order_that_says_the_same_is_no_new_order(
    make_root: MakeRoot, server: Server, run_jobs: RunJobs, move_clock: Callable[..., None]
) -> None:
    """Each day it is signed for a week more, under its sequence: who obeyed it is not told again."""
    old, _new = make_root(), make_root()
    publish(server, run_jobs)
    revoke(old, run_jobs)
    first = publish(server, run_jobs)
    order: Directive = opened(first.directive, Directive)
    move_clock(hours=25)
    again = publish(server, run_jobs)
    renewed: Directive = opened(again.directive, Directive)
    assert renewed.sequence == order.sequence
    assert renewed.expires_at - order.expires_at >= timedelta(hours=25)  # type: ignore[operator]
    assert again.directive.pk == first.directive.pk  # type: ignore[union-attr]
    assert again.settings not in (None, first.settings)
    told = list(again.newer(clock.now(), trust_list=again.trust_list.sequence, directive=order.sequence))  # type: ignore[union-attr]
    assert told == [again.settings]
    # Another revocation is another order.
    third = make_root()
    revoke(_new, run_jobs)
    assert third.is_active
    assert publish(server, run_jobs).directive.sequence > order.sequence  # type: ignore[union-attr]


def test_an_order_to_one_client_outlives_the_key_that_signed_it(
    make_root: MakeRoot, server: Server, run_jobs: RunJobs
) -> None:
    old, new = make_root(), make_root()
    publish(server, run_jobs)
    client = Client.objects.create(server=server, name="pc-1", authenticated=True, protocol=315, created_at=clock.now())
    document = ordering.reset_public_key(str(client.pk), actor=ALICE)
    said: Directive = opened(document, Directive)
    signer = Subordinate.objects.active(server).get(purpose=Purpose.MESSAGE_SIGNING)
    assert signer.root == new
    assert not ordering.without_signer(server, clock.now()).exists()
    newest = make_root()
    assert not ordering.without_signer(server, clock.now()).exists()  # retired, and believed still
    revoke(new, run_jobs)
    assert publishing.start_due(server).endswith("orders to single clients: the key that signed them counts no more).")
    run_jobs()
    again = SignedDocument.objects.get(pk=document.pk)
    assert opened(again, Directive) == said  # the same sequence, and the same end
    envelope = latest.envelope(again)
    chain = (envelope.signer, *envelope.chain)
    assert anchors.leads_to(chain, held(newest), MESSAGE_SIGNING_EKU) == newest.fingerprint
    assert Entry.objects.filter(action=Action.PUBLIC_KEY_RESET, subject_id=str(client.pk)).count() == 2
    assert publishing.start_due(server) == "What is signed for clients is up to date."
    assert old.is_active
    # No key that could do better: nothing is asked of it every ten seconds.
    Subordinate.objects.filter(purpose=Purpose.MESSAGE_SIGNING).update(not_after=clock.now())
    assert not ordering.without_signer(server, clock.now()).exists()


def test_what_says_something_else_takes_a_sequence_of_its_own(make_root: MakeRoot, server: Server) -> None:
    make_root()

    def order(sequence: int, trust_list: int = 1) -> Directive:
        return directives.reset_trust(server, NOBODY, sequence, clock.now(), trust_list=trust_list)

    document = signing.sign_document(server, Kind.DIRECTIVE, order, audience=NOBODY)
    for wrong in (order(document.sequence, trust_list=2), order(document.sequence + 1)):
        with pytest.raises(ValueError, match="sequence of its own"):
            signing.sign_again(document, wrong)
    other = SignedDocument.objects.get(pk=document.pk)
    signing.sign_again(document, order(document.sequence))
    with pytest.raises(OutdatedError):  # another worker was quicker
        signing.sign_again(other, order(document.sequence))


def test_only_what_leads_to_a_root_is_in_its_chain(make_root: MakeRoot, server: Server) -> None:
    old, new = make_root(), make_root()
    (cross,) = carried.leading_to(new)
    assert anchors.is_signed_by(signatures.certificate_of(cross), signatures.certificate_of(bytes(old.certificate_der)))


def test_an_hsm_that_is_away_leaves_the_old_documents_in_force(
    make_root: MakeRoot,
    server: Server,
    run_jobs: RunJobs,
    softhsm: Any,
    use_token: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    token = softhsm.token("roots")
    use_token(token, "Root")
    make_root()
    before = publish(server, run_jobs)
    make_root()
    from hsm.device.errors import TokenNotFoundError

    def away(_binding: Any) -> Any:
        raise TokenNotFoundError("The token “roots” is not there.")

    monkeypatch.setattr("keys.stores.open_binding", away)
    after = publish(server, run_jobs)
    assert after.trust_list == before.trust_list
    assert after.settings != before.settings  # its key is in pki.db
    job = Job.objects.get(kind_name="trust.sign-documents", state=State.SCHEDULED)
    assert "not there" in job.message
    assert "stays in force" in job.message
    assert publishing.start_due(server) == job.message
    assert Entry.objects.filter(action="jobs.failed").count() == 0
    monkeypatch.undo()


def test_no_sequence_is_used_twice_and_none_falls_back(make_root: MakeRoot, server: Server) -> None:
    make_root()
    taken = [signing.take_sequence(server, "*") for _ in range(3)]
    assert taken == sorted(set(taken))
    # After a restore from a backup the counter is lower, but time went on.
    from trust.models.documents import DocumentCounter

    DocumentCounter.objects.update(last=1)
    assert signing.take_sequence(server, "*") >= taken[0]
    with pytest.raises(ValueError, match="another sequence"):
        signing.sign_document(server, Kind.SETTINGS, lambda _sequence: settings.payload(server, 1, clock.now()))


def test_what_changed_while_it_was_signed_is_not_stored(make_root: MakeRoot, server: Server) -> None:
    make_root()

    def payload_for(sequence: int) -> Payload:
        return trustlist.payload(server, sequence, clock.now())

    with pytest.raises(OutdatedError):
        signing.sign_document(server, Kind.TRUST_LIST, payload_for, still=lambda _document: False)
    assert not SignedDocument.objects.exists()


def test_a_document_for_one_client_reaches_only_it(make_root: MakeRoot, server: Server) -> None:
    make_root()
    now = clock.now()
    client = Client.objects.create(server=server, name="pc-1", authenticated=True, protocol=315, created_at=now)

    def payload_for(sequence: int) -> Payload:
        return directives.reset_trust(server, str(client.pk), sequence, clock.now(), trust_list=1)

    first = signing.sign_document(server, Kind.DIRECTIVE, payload_for, audience=str(client.pk))
    second = signing.sign_document(server, Kind.DIRECTIVE, payload_for, audience=str(client.pk))
    client.refresh_from_db()
    assert client.own_sequence == second.sequence > first.sequence
    assert latest.own(client.pk, settings=0, directive=0) == [second]
    assert latest.own(client.pk, settings=0, directive=second.sequence) == []
    assert latest.latest(server).directive is None


def test_each_look_hands_the_listener_its_keys_as_well(make_root: MakeRoot, server: Server, run_jobs: RunJobs) -> None:
    make_root()
    first = rounds.look(server)
    run_jobs()
    assert "Being signed" in first
    assert "The listener" in first  # it has new keys, or its public half is not there yet
    assert Entry.objects.filter(outcome="failed").count() == 0
