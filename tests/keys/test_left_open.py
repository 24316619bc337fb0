"""Subordinate keys whose making was interrupted: gone on with, or cleaned up when the settings moved elsewhere."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from console.jobs.models import Job, State
from console.lib import clock
from console.servers.models import Server
from hsm.device.base import KeySpec
from keys import reconciler, rotation, stores
from keys.jobs import LEASE_S, REMAKE_SUBORDINATES
from keys.models.root import Root
from keys.models.subordinate import Subordinate
from keys.purposes import Purpose
from tests.keys.conftest import ALICE

pytestmark = pytest.mark.django_db

MakeRoot = Callable[..., Root]
RunJobs = Callable[..., list[Job]]


def left_open(purpose: str, state: str = "creating", **values: Any) -> Subordinate:
    """Make the row of an attempt that was cut off, beside the key in use."""
    row = Subordinate.objects.get(purpose=purpose, state="active")
    import secrets
    import uuid

    row.pk, row.key_id, row.fingerprint, row.state = uuid.uuid4(), secrets.token_bytes(16), None, state
    row.created_at = clock.now() - timedelta(seconds=2 * LEASE_S)
    row.activated_at, row.certificate_der, row.spki_der, row.serial = None, b"", b"", ""
    for name, value in values.items():
        setattr(row, name, value)
    row.save(force_insert=True)
    return row


def test_the_scan_takes_an_open_row_up_and_uses_its_key(make_root: MakeRoot, run_jobs: RunJobs, server: Server) -> None:
    make_root()
    row = left_open("server-tls")
    with stores.open_device(row) as device:
        spki_der = device.generate_key_pair(row.cka_id, KeySpec.EC_P256, row.name)
    assert rotation.due(server, clock.now()) == {Purpose.SERVER_TLS: "an earlier attempt was left open"}
    assert rotation.start_due(server)
    run_jobs()
    row.refresh_from_db()
    assert (row.state, bytes(row.spki_der)) == ("active", spki_der)
    assert rotation.due(server, clock.now()) == {}


def test_an_open_row_in_another_place_does_not_stand_in_the_way_and_is_cleaned_up(
    make_root: MakeRoot, run_jobs: RunJobs, server: Server, softhsm: Any, use_token: Callable[..., None]
) -> None:
    from settings_store import store
    from settings_store.models import Scope, Setting

    token = softhsm.token("first-token")
    use_token(token, "MessageSigning")
    make_root()
    row = left_open("message-signing", "unknown")
    with stores.open_device(row) as device:
        device.generate_key_pair(row.cka_id, KeySpec.EC_P256, row.name)
    seen = Setting.objects.get(name="Keys.MessageSigning.UseHSM").token
    store.change("Keys.MessageSigning.UseHSM", "0", scope=Scope.LOCAL, seen=seen, actor=ALICE)
    rotation.request(Subordinate.objects.get(purpose="message-signing", state="active"), actor=ALICE)
    run_jobs()
    assert Subordinate.objects.get(purpose="message-signing", state="active").store == "local"
    assert softhsm.objects(token).count("Private Key Object") == 2
    assert "1 late keys cleaned up" in reconciler.reconcile(server)
    row.refresh_from_db()
    assert row.state == "failed"
    assert softhsm.objects(token).count("Private Key Object") == 1
    assert reconciler.reconcile(server) == "Nothing is unsettled."


def test_a_token_that_is_away_is_asked_again_by_the_same_job(
    make_root: MakeRoot, run_jobs: RunJobs, softhsm: Any, use_token: Callable[..., None]
) -> None:
    token = softhsm.token("root-token")
    use_token(token, "Root")
    make_root()
    softhsm.remove(token)
    key = Subordinate.objects.get(purpose="client-tls-ca", state="active")
    job = rotation.request(key, actor=ALICE)
    run_jobs()
    job.refresh_from_db()
    assert (job.state, job.kind_name) == (State.SCHEDULED, REMAKE_SUBORDINATES.name), job.message
    assert Subordinate.objects.get(purpose="client-tls-ca", state="active") == key
    given_up = Subordinate.objects.get(purpose="client-tls-ca", state="failed")
    with stores.open_device(given_up) as device:
        assert device.find(given_up.cka_id) is None


def test_no_key_store_no_key_and_a_clear_error(
    make_root: MakeRoot, run_jobs: RunJobs, server: Server, settings: Any
) -> None:
    """The key store is gone: nothing is made elsewhere, and what was there before goes on when it is back."""
    import uuid

    from keys import roots

    make_root()
    away = settings.PKI_DATABASE.with_name("away.db")
    settings.PKI_DATABASE.rename(away)
    root, job = roots.request(actor=ALICE, form_token=uuid.uuid4())
    run_jobs()
    root.refresh_from_db()
    job.refresh_from_db()
    assert (root.state, job.state) == ("failed", State.FAILED)
    assert job.error_code == "STORE_MISSING"
    away.rename(settings.PKI_DATABASE)
    assert make_root().state == "active"


def test_a_clock_that_was_set_back_starts_nothing_early_and_makes_no_invalid_key(
    make_root: MakeRoot, run_jobs: RunJobs, server: Server, move_clock: Callable[..., None]
) -> None:
    old, _new = make_root(), make_root()
    from keys import revocation

    job = revocation.schedule_in_a_week(old, actor=ALICE)
    move_clock(days=-3)
    run_jobs(due=True)
    job.refresh_from_db()
    assert job.state == State.SCHEDULED
    assert rotation.due(server, clock.now()) == {}
    third = make_root()
    assert third.state == "active"
    keys = Subordinate.objects.filter(state="active")
    assert {key.root_id for key in keys} == {third.pk}
