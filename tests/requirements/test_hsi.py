"""The integration with an HSM: which keys it holds, what happens without it, and what its pages say."""

import uuid
from collections.abc import Callable
from datetime import timedelta
from html import unescape
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from console.jobs.models import Job, State
from console.servers.models import Server
from keys import places, revocation, roots, setup
from keys.models.root import Root, RootKind, RootState
from keys.models.subordinate import Subordinate
from keys.purposes import PURPOSES, Purpose, StoreRule
from keys.standing import Standing
from settings_store import store, values
from settings_store.catalogue import HSM_NAMES
from settings_store.models import Scope, Setting, ValueType
from tests.fixtures.softhsm import SoftHsm
from tests.keys.conftest import ALICE

pytestmark = pytest.mark.usefixtures("server")
MakeRoot = Callable[..., Root]
UseToken = Callable[..., None]
RunJobs = Callable[..., list[Job]]


def text(client: Client, url: str) -> str:
    return unescape(client.get(url).content.decode())


def test_no_other_kind_of_key_can_be_put_on_a_token() -> None:  # HSI-02
    by_settings = {purpose for purpose, facts in PURPOSES.items() if facts.store is StoreRule.BY_SETTINGS}
    assert by_settings == {Purpose.ROOT, Purpose.MESSAGE_SIGNING}
    assert {name.split(".")[1] for name in HSM_NAMES if name.startswith("Keys.")} == {"Root", "MessageSigning"}


def test_legacy_root_stays_on_the_server(
    make_root: MakeRoot, softhsm: SoftHsm, use_token: UseToken, server: Server, admin_client: Client
) -> None:  # HSI-06, HSI-07
    use_token(softhsm.token("alpha"))
    setup.make_root(server, RootKind.LEGACY)
    assert make_root().store == "token"
    assert Root.objects.get(kind=RootKind.LEGACY).store == "local"
    page = text(admin_client, reverse("keys:integration"))
    assert "an HSM that is set up at version 7.4 or later does not store it" in page
    assert "Best practice: upgrade Client 7.2 to 7.4" in page


def test_without_its_token_nothing_is_made_anywhere_else(
    softhsm: SoftHsm, use_token: UseToken, run_jobs: RunJobs
) -> None:  # HSI-04
    token = softhsm.token("alpha")
    use_token(token)
    softhsm.remove(token)
    root, job = roots.request(actor=ALICE, form_token=uuid.uuid4())
    run_jobs()
    root.refresh_from_db()
    job.refresh_from_db()
    assert (root.state, job.state) == (RootState.FAILED, State.FAILED)
    assert not Root.objects.filter(store="local").exists()


def test_no_restart_and_no_maintenance_window(
    make_root: MakeRoot, softhsm: SoftHsm, use_token: UseToken, admin_client: Client
) -> None:  # HSI-15, HSI-18, HSI-19, HSI-20, AMB-28
    assert "Nothing is restarted" in text(admin_client, reverse("keys:integration"))
    assert make_root().store == "local"
    use_token(softhsm.token("alpha"))
    assert make_root().store == "token"  # the same process, right after saving


def test_rotating_moves_the_keys_and_the_old_one_goes_a_week_later(
    make_root: MakeRoot, softhsm: SoftHsm, use_token: UseToken, run_jobs: RunJobs, move_clock: Callable[..., None]
) -> None:  # HSI-21, HSI-35: on the HSM, and back again
    old = make_root()
    use_token(softhsm.token("alpha"))
    on_token = make_root()
    assert (old.store, on_token.store) == ("local", "token")
    row = Setting.objects.get(name="Keys.Root.UseHSM")
    store.change(row.name, "0", scope=Scope.LOCAL, seen=row.token, actor=ALICE)
    back = make_root()
    assert back.store == "local"
    assert back.activated_at is not None
    on_token.refresh_from_db()
    job = revocation.schedule_in_a_week(on_token, actor=ALICE)
    assert job.due_at == (back.activated_at + timedelta(days=7)).replace(second=0, microsecond=0)
    move_clock(days=8)
    run_jobs(due=True)
    on_token.refresh_from_db()
    assert (on_token.state, on_token.destroyed_at is None) == (RootState.REVOKED, False)
    assert Standing.read(back.server).newest == back


@pytest.mark.parametrize(
    ("name", "value_type", "typed"),
    [("Keys.Root.HSMTokenName", ValueType.TEXT, "beta"), ("Keys.Root.HSMTokenID", ValueType.NUMERIC, "4711")],
)
def test_another_name_or_id_is_saved_and_what_it_does_not_do_is_said(
    make_root: MakeRoot,
    softhsm: SoftHsm,
    use_token: UseToken,
    admin_client: Client,
    name: str,
    value_type: ValueType,
    typed: str,
) -> None:  # HSI-39, HSI-40, HSI-41
    token = softhsm.token("alpha")
    use_token(token)
    if value_type is ValueType.NUMERIC:
        store.add(name, str(token.slot_id), scope=Scope.LOCAL, value_type=value_type, actor=ALICE)
    make_root()
    page = text(admin_client, reverse("settings_store:edit", args=[f"Local:{name}"]))
    assert "Re-bind keys" in page
    assert "alpha" in page
    seen = Setting.objects.get(name=name).token
    url = reverse("settings_store:save", args=[f"Local:{name}"])
    assert admin_client.post(url, {"seen": seen, "value": typed}).status_code == 302
    assert values.text(name) == typed
    key = Subordinate.objects.get(purpose="message-signing", state="active")
    assert key.binding
    assert key.binding.label == "alpha"  # the keys that exist stay bound to their token


def test_create_new_key_says_where_and_what_is_missing(server: Server, use_token: UseToken, softhsm: Any) -> None:
    # HSI-22 begins here: the dialog names the store by the settings of this moment (AMB-28)
    assert not places.of_next(Purpose.ROOT).on_token
    use_token(softhsm.token("alpha"))
    for purpose in (Purpose.ROOT, Purpose.MESSAGE_SIGNING):
        assert places.of_next(purpose).text == "the HSM token alpha"
    store.delete(["Local:Keys.Root.HSMTokenName"], actor=ALICE)
    assert "Keys.Root.HSMTokenID" in places.of_next(Purpose.ROOT).problem


def test_a_verification_that_fails_leads_to_troubleshooting(
    make_root: MakeRoot, softhsm: SoftHsm, use_token: UseToken, admin_client: Client, run_jobs: RunJobs
) -> None:  # HSI-27, HSI-28: what each shows is named; HSI-29
    token = softhsm.token("alpha")
    use_token(token)
    make_root()
    step = reverse("keys:integration-step", args=["verify"])
    led = f'<a class="btn" href="{reverse("keys:integration-troubleshooting")}">Troubleshoot an HSM integration</a>'
    before = text(admin_client, step)
    assert led not in before
    assert "that the root keys work; returned results of" in before
    admin_client.post(reverse("keys:integration-verify"))
    run_jobs()
    without_clients = text(admin_client, step)
    assert "2 checks failed" in without_clients
    assert led in without_clients
    softhsm.remove(token)
    admin_client.post(reverse("keys:integration-verify"))
    run_jobs()
    away = text(admin_client, step)
    assert led in away
    assert "2 checks failed" not in away
