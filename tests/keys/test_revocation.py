"""Revoking root keys: the rule, the plan, and what happens when it is due."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from cryptography import x509

from console.activity.models import Entry
from console.jobs import queue
from console.jobs.models import Job, State
from console.lib import clock
from console.lib.errors import InvalidError
from console.servers.models import Server
from keys import directive, revocation, stores
from keys.actions import Action
from keys.errors import ConsequencesChangedError, RevocationRefusedError
from keys.jobs import DESTROY_KEY, REVOKE_ROOT
from keys.models.root import RevocationReason, Root, RootKind, RootState
from keys.models.statements import Crl, CrossCertificate, Directive
from keys.models.subordinate import Subordinate
from keys.revocation import Plan
from keys.standing import Standing
from tests.keys.conftest import ALICE, BOB

pytestmark = pytest.mark.django_db

MakeRoot = Callable[..., Root]
RunJobs = Callable[..., list[Job]]


def plan(root: Root, *, due_in: timedelta | None = None, reason: str = "policy") -> Plan:
    standing = Standing.read(root.server)
    seen = revocation.digest(revocation.consequences(root, standing))
    due_at = clock.now() + due_in if due_in is not None else None
    return Plan(RevocationReason(reason), "yearly rotation", seen, due_at)


def refusal(root: Root) -> str:
    return Standing.read(root.server).refusal(root)


def test_revoking_follows_every_step(make_root: MakeRoot, run_jobs: RunJobs) -> None:  # KEY-18, KEY-23, KEY-27
    old, new = make_root(), make_root()
    below = {int(serial, 16) for serial in Subordinate.objects.filter(root=old).values_list("serial", flat=True)}
    revocation.request(old, plan(old), actor=ALICE)
    ran = run_jobs()
    old.refresh_from_db()
    assert (old.state, old.revocation_reason) == (RootState.REVOKED, "policy")
    assert [job.state for job in ran] == [State.SUCCEEDED, State.SUCCEEDED]
    assert old.destroyed_at is not None
    with stores.open_device(old) as device:
        assert device.find(old.cka_id) is None
    crl = x509.load_der_x509_crl(bytes(Crl.objects.get(root=old).crl_der))
    assert {entry.serial_number for entry in crl} == below
    assert crl.is_signature_valid(x509.load_der_x509_certificate(bytes(old.certificate_der)).public_key())  # type: ignore[arg-type]
    order = Directive.objects.get(root=old)
    content = directive.verify(bytes(order.payload), bytes(order.signature), bytes(new.spki_der))
    assert [key["fingerprint"] for key in content["revoked"]] == [old.fingerprint]
    assert set(Subordinate.objects.filter(root=old).values_list("state", flat=True)) == {"revoked"}


def test_the_log_names_who_revoked_and_the_key(make_root: MakeRoot, run_jobs: RunJobs) -> None:  # LOG-01, KEY-41
    old, _new = make_root(), make_root()
    revocation.request(old, plan(old), actor=BOB)
    run_jobs()
    entry = Entry.objects.get(action=Action.ROOT_REVOKED)
    assert (entry.actor, entry.subject_label, entry.outcome) == ("bob", old.name, "succeeded")
    assert str(old.fingerprint) in entry.details
    assert "yearly rotation" in entry.details


def test_the_newest_and_the_only_key_cannot_be_revoked(make_root: MakeRoot) -> None:  # KEY-24, AMB-48
    only = make_root()
    assert "The only root key" in refusal(only)
    newest = make_root()
    assert "Newest key" in refusal(newest)
    assert refusal(only) == ""
    with pytest.raises(RevocationRefusedError, match="Newest key"):
        revocation.request(newest, plan(newest), actor=ALICE)
    assert Entry.objects.get(outcome="refused").action == Action.ROOT_REVOCATION_REQUESTED
    assert not Job.objects.filter(kind_name=REVOKE_ROOT.name).exists()


def test_a_revoked_key_cannot_be_revoked_again(make_root: MakeRoot, run_jobs: RunJobs) -> None:
    old, _new = make_root(), make_root()
    revocation.request(old, plan(old), actor=ALICE)
    run_jobs()
    old.refresh_from_db()
    with pytest.raises(RevocationRefusedError, match="revoked already"):
        revocation.request(old, plan(old), actor=ALICE)


def test_legacy_root_is_never_revocable_nor_a_replacement(make_root: MakeRoot, server: Server) -> None:
    # AMB-10, KEY-06, KEY-07, KEY-08
    from keys import setup

    only = make_root()
    setup.make_root(server, RootKind.LEGACY)
    legacy = Root.objects.get(kind=RootKind.LEGACY)
    assert (legacy.name, legacy.number, legacy.state) == ("legacy-root", None, RootState.ACTIVE)
    assert "legacy-root cannot be revoked" in refusal(legacy)
    assert "The only root key" in refusal(only)
    make_root()
    assert not CrossCertificate.objects.filter(subject=legacy).exists()


def test_the_key_of_another_server_is_refused(make_root: MakeRoot, server: Server) -> None:  # KEY-24, KEY-26
    old, _new = make_root(), make_root()
    other = Server.objects.create(fqdn="ts2.example.com", sealing_public="00", created_at=clock.now())
    Root.objects.filter(pk=old.pk).update(server=other)
    old.refresh_from_db()
    assert "belongs to ts2.example.com" in Standing.read(server).refusal(old)
    with pytest.raises(RevocationRefusedError, match=r"ts2\.example\.com"):
        revocation.request(old, Plan(RevocationReason.POLICY, "", ""), actor=ALICE)


def test_a_replacement_that_is_due_to_go_itself_is_none(make_root: MakeRoot) -> None:  # AMB-48
    first, second, third = make_root(), make_root(), make_root()
    revocation.request(second, plan(second, due_in=timedelta(days=1)), actor=ALICE)
    assert refusal(first) == ""  # the third stays
    Root.objects.filter(pk=third.pk).update(state=RootState.FAILED)
    assert "itself due to be revoked" in refusal(first)


def test_one_click_schedules_a_week_after_the_replacement(make_root: MakeRoot) -> None:  # MIS-10, HSI-24, KEY-35
    old, new = make_root(), make_root()
    assert new.activated_at
    assert [root for root, _ in revocation.offers(Standing.read(old.server))] == [old]
    seen_before = plan(old, due_in=timedelta(days=1))
    job = revocation.schedule_in_a_week(old, actor=ALICE)
    assert job.due_at == (new.activated_at + timedelta(days=7)).replace(second=0, microsecond=0)
    assert job.state == State.SCHEDULED
    assert revocation.offers(Standing.read(old.server)) == []
    # Whoever had the dialog open has not seen this plan; who clicks the offer again leaves it as it is.
    with pytest.raises(ConsequencesChangedError):
        revocation.request(old, seen_before, actor=BOB)
    assert revocation.schedule_in_a_week(old, actor=BOB) == job
    assert revocation.request(old, plan(old, due_in=timedelta(days=2)), actor=BOB) == job


def test_nothing_is_scheduled_by_itself(make_root: MakeRoot) -> None:  # MIS-10
    make_root(), make_root()
    assert not Job.objects.filter(kind_name=REVOKE_ROOT.name).exists()


def move_clock(monkeypatch: pytest.MonkeyPatch, by: timedelta) -> None:
    now = clock.now
    monkeypatch.setattr("console.lib.clock.now", lambda: now() + by)


def test_a_planned_revocation_runs_as_the_system_for_who_planned_it(
    make_root: MakeRoot, run_jobs: RunJobs, monkeypatch: pytest.MonkeyPatch
) -> None:  # LOG-04, STK-04
    old, _new = make_root(), make_root()
    job = revocation.request(old, plan(old, due_in=timedelta(days=7)), actor=BOB)
    assert run_jobs(due=True) == []
    move_clock(monkeypatch, timedelta(days=7, minutes=1))
    run_jobs(due=True)
    old.refresh_from_db()
    assert old.state == RootState.REVOKED
    entry = Entry.objects.get(action=Action.ROOT_REVOKED)
    assert (entry.actor_kind, entry.planned_by) == ("system", "bob")
    assert str(job.pk) in entry.details


def test_the_guard_holds_at_run_time_too(
    make_root: MakeRoot, run_jobs: RunJobs, monkeypatch: pytest.MonkeyPatch
) -> None:  # KEY-25
    old, new = make_root(), make_root()
    job = revocation.request(old, plan(old, due_in=timedelta(days=7)), actor=BOB)
    Root.objects.filter(pk=new.pk).update(state=RootState.FAILED)  # as an older state that was restored
    move_clock(monkeypatch, timedelta(days=8))
    run_jobs(due=True)
    old.refresh_from_db()
    job.refresh_from_db()
    assert (old.state, old.destroyed_at, job.state) == (RootState.ACTIVE, None, State.FAILED)
    assert "only root key" in job.message
    entry = Entry.objects.get(action=Action.ROOT_REVOKED)
    assert (entry.outcome, entry.planned_by) == ("failed", "bob")


def test_a_plan_can_be_cancelled_moved_and_run_now(make_root: MakeRoot, run_jobs: RunJobs) -> None:  # MIS-10
    old, _new = make_root(), make_root()
    job = revocation.request(old, plan(old, due_in=timedelta(days=7)), actor=ALICE)
    queue.cancel(job, actor=BOB)
    assert Entry.objects.get(action=Action.ROOT_REVOCATION_CANCELLED).actor == "bob"
    assert Standing.read(old.server).pending == {}
    again = revocation.request(old, plan(old, due_in=timedelta(days=7)), actor=ALICE)
    moved = revocation.request(old, plan(old, due_in=timedelta(days=9)), actor=ALICE)
    assert moved.pk == again.pk
    assert moved.due_at > clock.now() + timedelta(days=8)
    now = revocation.request(old, plan(old), actor=ALICE)
    assert now.pk == again.pk
    run_jobs()
    old.refresh_from_db()
    assert old.state == RootState.REVOKED


def test_consequences_that_changed_are_shown_again(make_root: MakeRoot) -> None:
    old, _new = make_root(), make_root()
    stale = plan(old)
    make_root()
    with pytest.raises(ConsequencesChangedError):
        revocation.request(old, stale, actor=ALICE)
    assert not Job.objects.filter(kind_name=REVOKE_ROOT.name).exists()


@pytest.mark.parametrize("due_in", [timedelta(minutes=-5), timedelta(days=400)])
def test_a_date_out_of_range_is_refused(make_root: MakeRoot, due_in: timedelta) -> None:
    old, _new = make_root(), make_root()
    with pytest.raises(InvalidError) as caught:
        revocation.request(old, plan(old, due_in=due_in), actor=ALICE)
    assert caught.value.field == "due_at"


def test_an_early_date_is_warned_about_and_allowed(make_root: MakeRoot, run_jobs: RunJobs) -> None:
    # HSI-24, HSI-25, KEY-36, AMB-29
    old, new = make_root(), make_root()
    standing = Standing.read(old.server)
    warning = revocation.early_warning(old, standing, clock.now())
    assert "more processing and network traffic" in warning
    assert "0 of the 3 known today" in warning
    assert new.activated_at
    assert revocation.early_warning(old, standing, new.activated_at + timedelta(days=7)) == ""


def test_a_normal_revocation_waits_for_the_cross_certificates(
    make_root: MakeRoot, run_jobs: RunJobs
) -> None:  # docs/design.md §5
    old, _new = make_root(), make_root()
    CrossCertificate.objects.all().delete()
    with pytest.raises(RevocationRefusedError, match="not certified each other yet"):
        revocation.request(old, plan(old), actor=ALICE)
    revocation.request(old, plan(old, reason="compromised"), actor=ALICE)
    run_jobs()
    old.refresh_from_db()
    assert old.state == RootState.REVOKED


def test_a_compromised_root_revokes_what_it_certified_too(make_root: MakeRoot, run_jobs: RunJobs) -> None:
    old, new = make_root(), make_root()
    carried = CrossCertificate.objects.get(issuer=old, subject=new)
    revocation.request(old, plan(old, reason="compromised"), actor=ALICE)
    run_jobs()
    crl = x509.load_der_x509_crl(bytes(Crl.objects.get(root=old).crl_der))
    assert int(carried.serial, 16) in {entry.serial_number for entry in crl}
    reasons = {entry.extensions.get_extension_for_class(x509.CRLReason).value.reason for entry in crl}
    assert reasons == {x509.ReasonFlags.ca_compromise}


def test_each_directive_names_all_revoked_roots(make_root: MakeRoot, run_jobs: RunJobs) -> None:  # KEY-27
    first, second, _third = make_root(), make_root(), make_root()
    for root in (first, second):
        root.refresh_from_db()
        revocation.request(root, plan(root), actor=ALICE)
        run_jobs()
    last = Directive.objects.get(root=second)
    content = directive.verify(bytes(last.payload), bytes(last.signature), bytes(last.signer.spki_der))
    assert content["number"] == 2
    assert [key["name"] for key in content["revoked"]] == [first.name, second.name]


def test_a_token_that_is_away_skips_the_crl_and_the_destruction_tries_on(
    make_root: MakeRoot, run_jobs: RunJobs, softhsm: Any, use_token: Callable[..., None]
) -> None:  # docs/design.md §5
    from settings_store import store
    from settings_store.models import Scope, Setting

    token = softhsm.token("old-token")
    use_token(token, "Root")
    old = make_root()
    store.change(
        "Keys.Root.UseHSM", "0", scope=Scope.LOCAL, seen=Setting.objects.get(name="Keys.Root.UseHSM").token, actor=ALICE
    )
    make_root()
    softhsm.remove(token)
    revocation.request(old, plan(old), actor=ALICE)
    ran = run_jobs()
    old.refresh_from_db()
    assert (old.state, old.destroyed_at) == (RootState.REVOKED, None)
    assert not Crl.objects.filter(root=old).exists()
    assert "No CRL was signed" in ran[0].message
    assert "skipped" in Entry.objects.get(action=Action.ROOT_REVOKED).details
    destroy = Job.objects.get(kind_name=DESTROY_KEY.name)
    assert (destroy.state, destroy.attempts) == (State.SCHEDULED, 1), destroy.message
    assert Directive.objects.filter(root=old).exists()
