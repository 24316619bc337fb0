"""The HSM tab and the forms of connections, without JavaScript and by htmx."""

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from html import unescape

import pytest
from django.core import serializers
from django.test import Client
from django.urls import reverse

from console.accounts.models import User
from console.activity.models import Entry
from console.jobs.models import Job
from console.lib import clock
from hsm import members
from hsm.connections import drafts, editing, health, states
from hsm.device.base import TokenInfo
from hsm.device.codes import error_for
from hsm.models.drafts import ConnectionDraft
from hsm.models.groups import Connection, ConnectionKind, ConnectionState, Group, GroupRole
from hsm.models.tokens import PinTrial
from tests.fixtures.groups import ALICE, add_connection, by_module
from tests.fixtures.softhsm import SoftHsm, Token

FRAGMENT = {"HX-Request": "true"}
RunJobs = Callable[..., list[Job]]


def text(response: object) -> str:
    return unescape(response.content.decode())  # type: ignore[attr-defined]


PAPER = Token("/usr/lib/softhsm/libsofthsm2.so", "alpha", "13572468", "", "0a1b2c3d4e5f6071", 3)


@pytest.fixture
def group(module_group: Callable[..., Group]) -> Group:
    """Return a group that was tested and found connected, for tests that reach no token."""
    made: Group = module_group(PAPER)
    Job.objects.all().delete()
    row = made.connections.get()
    info = TokenInfo(PAPER.module, 3, "alpha", PAPER.serial, "SoftHSM project", "SoftHSM v2", "2.6", frozenset())
    states.worked(row, latency_ms=3.2, token=info)
    return made


@pytest.fixture
def tested(module_group: Callable[..., Group], token: Token, run_jobs: RunJobs) -> Group:
    """Return a group whose token is real."""
    made: Group = module_group(token)
    run_jobs()
    return made


def form_of(token: Token) -> dict[str, str]:
    """Return what the form sends for a token's module."""
    return {
        "act": "save",
        "kind": ConnectionKind.MODULE,
        "module_path": token.module,
        "slot": hex(token.slot_id),
        "port": "4442",
        "pin": token.pin,
    }


@pytest.fixture
def typed() -> dict[str, str]:
    """Return what the form sends for the token of `group`."""
    return form_of(PAPER)


def shown_state(page: str, row: Connection) -> tuple[str, ...]:
    """Return the colour, the icon and the words of a connection's state."""
    place = page.partition(f'id="status-{row.pk}"')[2]
    found = re.search(r'class="state (\w+)">.*?#([\w-]+)">.*?<span>([^<]+)</span>', place, re.DOTALL)
    assert found
    return found.groups()


def tab(group: Group) -> str:
    return reverse("hsm:group-hsm", args=[group.pk])


def test_the_tab_shows_the_one_connection_without_a_number(group: Group, admin_client: Client) -> None:
    page = text(admin_client.get(tab(group)))  # GRP-26, GRP-29, GRP-30
    for words in ("Connected", "SoftHSM2 (development)", "alpha", "Stored, hidden", "Test connection"):
        assert words in page
    assert shown_state(page, group.connections.get()) == ("ok", "circle-check", "Connected")  # GRP-19
    assert 'class="prio"' not in page
    assert "Sync keys" in page  # GRP-48


def test_the_menu_has_exactly_five_entries_and_they_do_what_they_say(
    group: Group, admin_client: Client
) -> None:  # GRP-25, GRP-34
    first = group.connections.get()
    second = add_connection(group, by_module(replace(PAPER, slot_id=4)))
    third = add_connection(group, by_module(replace(PAPER, slot_id=5)))
    page = text(admin_client.get(tab(group)))
    for words in ("Move to the top", "Move up", "Move down", "Move to bottom", "Delete connection"):
        assert page.count(words) == 3
    for how, wanted in (
        ("top", [third, first, second]),
        ("down", [first, third, second]),
        ("bottom", [first, second, third]),
        ("up", [first, third, second]),
    ):
        response = admin_client.post(reverse("hsm:connection-move", args=[third.pk, how]))
        assert response.headers["Location"] == tab(group)
        assert list(group.connections.all()) == wanted
    assert Entry.objects.filter(action="hsm.connection.moved").count() == 4
    assert [one.position for one in group.connections.all()] == [1, 2, 3]


def test_a_connection_is_deleted_after_a_confirmation(group: Group, admin_client: Client) -> None:
    row = group.connections.get()
    url = reverse("hsm:connection-delete", args=[row.pk])
    assert "Keys in the HSM and virtual keys stay" in text(admin_client.get(url))
    assert admin_client.post(url).headers["Location"] == tab(group)
    assert not group.connections.exists()
    assert "No connection" in text(admin_client.get(tab(group)))
    assert admin_client.post(url).status_code == 404


def test_an_empty_pin_keeps_the_stored_one(
    tested: Group, token: Token, admin_client: Client, run_jobs: RunJobs
) -> None:  # GRP-24, GRP-33
    row = tested.connections.get()
    page = text(admin_client.get(reverse("hsm:connection", args=[row.pk])))
    assert "Leave empty to keep it" in page
    form = {**form_of(token), "pin": "", "seen": editing.version(row)}
    tried = admin_client.post(reverse("hsm:connection", args=[row.pk]), {**form, "act": "test"})
    run_jobs()
    assert re.search(r'class="note ok".*?Connected', text(admin_client.get(tried.headers["Location"])), re.DOTALL)
    assert admin_client.post(reverse("hsm:connection", args=[row.pk]), form).status_code == 302
    run_jobs()
    row.refresh_from_db()
    assert row.state == ConnectionState.CONNECTED


def test_one_connection_of_two_is_edited_and_tested(
    tested: Group, token: Token, admin_client: Client, run_jobs: RunJobs
) -> None:  # GRP-23, GRP-24, GRP-38
    first = tested.connections.get()
    incomplete = {"act": "save", "kind": "gateway", "address": "", "port": "", "slot": "", "pin": ""}
    assert admin_client.post(reverse("hsm:connection-new", args=[tested.pk]), incomplete).status_code == 302
    second = tested.connections.exclude(pk=first.pk).get()
    form = {**incomplete, "address": "localhost", "port": "1", "slot": "3", "seen": editing.version(second)}
    assert admin_client.post(reverse("hsm:connection", args=[second.pk]), form).status_code == 302
    run_jobs()
    second.refresh_from_db()
    assert (second.port, second.state) == (1, ConnectionState.NOT_CONNECTED)
    Connection.objects.update(checked_at=None)
    admin_client.post(reverse("hsm:connection-test", args=[second.pk]))
    run_jobs()
    checked = [row.checked_at is not None for row in tested.connections.all()]
    assert checked == [False, True]
    table = text(admin_client.get(tab(tested))).partition("<tbody>")[2]
    assert table.index(first.name) < table.index("localhost:1")


def test_two_browsers_at_once(group: Group, typed: dict[str, str], admin_client: Client) -> None:
    row = group.connections.get()
    url, seen = reverse("hsm:connection", args=[row.pk]), editing.version(row)
    assert admin_client.post(url, {**typed, "slot": "5", "seen": seen}).status_code == 302
    assert admin_client.post(url, {**typed, "slot": "6", "seen": seen}).status_code == 409
    assert group.connections.get().slot == "5"


def test_another_slot_of_one_gateway_is_refused_in_the_form(group: Group, admin_client: Client) -> None:  # AMB-18
    url = reverse("hsm:connection-new", args=[group.pk])
    form = {"act": "save", "kind": "gateway", "address": "hmg.invalid", "port": "4442", "slot": "1", "pin": ""}
    assert admin_client.post(url, form).status_code == 302
    response = admin_client.post(url, {**form, "slot": "2", "address": "HMG.invalid."})
    assert response.status_code == 422
    assert "One gateway serves one slot in a group" in text(response)
    assert group.connections.count() == 2


def test_a_form_is_tested_and_saved_with_the_pin_that_was_entered_once(
    group: Group, softhsm: SoftHsm, admin_client: Client, run_jobs: RunJobs
) -> None:  # without JavaScript
    other = softhsm.token("standby", pin="87651234")
    url = reverse("hsm:connection-new", args=[group.pk])
    form = form_of(other)
    response = admin_client.post(url, {**form, "act": "test"})
    assert response.headers["Location"].startswith(f"{url}?draft=")
    assert "Testing the connection" in text(admin_client.get(response.headers["Location"]))
    run_jobs()
    page = text(admin_client.get(response.headers["Location"]))
    assert "Connected" in page
    assert "standby (serial " in page
    assert other.pin not in page
    draft = ConnectionDraft.objects.get()
    saved = admin_client.post(url, {**form, "pin": "", "draft": str(draft.pk)})
    assert saved.headers["Location"] == tab(group)
    assert not ConnectionDraft.objects.exists()
    run_jobs()
    assert group.connections.get(slot=str(other.slot_id)).state == ConnectionState.CONNECTED
    for rows in (Job.objects.all(), Entry.objects.all(), Connection.objects.all()):
        assert other.pin not in serializers.serialize("json", rows)


def test_a_wrong_pin_of_a_tested_form_is_not_tried_again_when_it_is_saved(
    group: Group, softhsm: SoftHsm, admin_client: Client, run_jobs: RunJobs
) -> None:
    other = softhsm.token("standby", pin="87651234")
    url = reverse("hsm:connection-new", args=[group.pk])
    form = {**form_of(other), "pin": "11112222"}
    response = admin_client.post(url, {**form, "act": "test"}, headers=FRAGMENT)
    assert response.content.lstrip().startswith(b'<form id="connection-form"')
    run_jobs()
    draft = ConnectionDraft.objects.get()
    result = admin_client.get(reverse("hsm:draft-test", args=[draft.pk]))
    assert "Not Connected" in text(result)  # GRP-20
    assert "Wrong PIN" in text(result)
    assert PinTrial.objects.filter(state="rejected").count() == 1
    admin_client.post(url, {**form, "pin": "", "draft": str(draft.pk)})
    run_jobs()
    row = group.connections.get(slot=str(other.slot_id))
    assert row.pin_rejected_version == row.pin_version == draft.pin_version
    assert PinTrial.objects.filter(label="standby").count() == 1
    assert "Rejected" in text(admin_client.get(tab(group)))


def test_what_was_entered_is_kept_for_15_minutes(group: Group, typed: dict[str, str], admin_client: Client) -> None:
    url = reverse("hsm:connection-new", args=[group.pk])
    admin_client.post(url, {**typed, "slot": "4", "act": "test"})
    draft = ConnectionDraft.objects.get()
    assert draft.expires_at - draft.created_at >= timedelta(minutes=15)
    ConnectionDraft.objects.update(expires_at=clock.now() - timedelta(seconds=1))
    assert drafts.tidy() == 0  # its test is under way
    Job.objects.all().delete()
    form = {**typed, "slot": "4", "pin": "", "draft": str(draft.pk)}
    response = admin_client.post(url, form)
    assert response.status_code == 422
    assert "kept for 15 minutes" in text(response)
    assert drafts.tidy() == 1
    assert not ConnectionDraft.objects.exists()


def test_a_draft_is_only_for_who_entered_it(
    group: Group, typed: dict[str, str], admin_client: Client, as_user: Callable[..., Client], auditor: User
) -> None:
    admin_client.post(reverse("hsm:connection-new", args=[group.pk]), {**typed, "act": "test"})
    draft = ConnectionDraft.objects.get()
    assert as_user(auditor).get(reverse("hsm:draft-test", args=[draft.pk])).status_code == 404


def test_the_tab_opens_with_a_test_and_not_with_two(
    tested: Group, admin_client: Client, run_jobs: RunJobs
) -> None:  # GRP-31
    Job.objects.all().delete()
    url = reverse("hsm:group-test", args=[tested.pk])
    for _ in range(2):
        response = admin_client.post(url, {"by": "itself"}, headers=FRAGMENT)
        assert "Testing" in text(response)
    assert len(run_jobs()) == 1
    response = admin_client.post(url, {"by": "itself"}, headers=FRAGMENT)
    assert "Testing" not in text(response)
    assert not run_jobs()


def test_states_are_swapped_each_in_its_place(group: Group, admin_client: Client) -> None:
    row = group.connections.get()
    states.failed(row, error_for("CKR_DEVICE_ERROR"))
    page = text(admin_client.get(reverse("hsm:group-states", args=[group.pk]), headers=FRAGMENT))
    assert f'id="status-{row.pk}" hx-swap-oob="true"' in page
    assert shown_state(page, row) == ("warn", "alert-triangle", "Not Connected")  # GRP-20
    assert "CKR_DEVICE_ERROR" in page
    assert "No key operation is possible" in page


def test_members_test_and_auditors_look(
    group: Group, admin: User, plain_user: User, user_client: Client, auditor_client: Client
) -> None:
    test, move = (
        reverse("hsm:connection-test", args=[group.connections.get().pk]),
        reverse("hsm:connection-move", args=[group.connections.get().pk, "up"]),
    )
    assert user_client.get(tab(group)).status_code == 404
    members.add(group, plain_user.username, GroupRole.MEMBER, actor=ALICE)
    assert user_client.get(tab(group)).status_code == 200
    assert user_client.post(test).status_code == 302
    assert user_client.post(move).status_code == 403
    assert auditor_client.get(tab(group)).status_code == 200
    for url in (test, move):
        assert auditor_client.post(url).status_code == 403
    assert Entry.objects.filter(outcome="refused").count() == 3


@pytest.mark.parametrize("act", ["save", "test"])
def test_only_an_administrator_of_the_console_has_this_server_load_a_library(
    act: str, group: Group, typed: dict[str, str], plain_user: User, user_client: Client
) -> None:  # AMB-44
    members.add(group, plain_user.username, GroupRole.ADMINISTRATOR, actor=ALICE)
    row = group.connections.get()
    other = {**typed, "act": act, "module_path": "/tmp/mine.so", "seen": editing.version(row)}
    for url in (reverse("hsm:connection-new", args=[group.pk]), reverse("hsm:connection", args=[row.pk])):
        answer = user_client.post(url, other)
        assert answer.status_code == 422
        assert "Only an Administrator of the console chooses" in text(answer)
    assert not ConnectionDraft.objects.exists()
    # What an Administrator has entered stays, whoever edits the rest; and a gateway is theirs to enter.
    kept = {**other, "module_path": typed["module_path"], "slot": "9"}
    assert user_client.post(reverse("hsm:connection", args=[row.pk]), kept).status_code == 302
    gateway = {**other, "kind": "gateway", "address": "hmg.invalid"}
    assert user_client.post(reverse("hsm:connection-new", args=[group.pk]), gateway).status_code == 302


@pytest.mark.parametrize("act", ["save", "test"])
def test_a_stored_pin_follows_no_group_administrator_to_another_address(
    act: str, group: Group, typed: dict[str, str], plain_user: User, user_client: Client, admin_client: Client
) -> None:  # AMB-44, GRP-33
    members.add(group, plain_user.username, GroupRole.ADMINISTRATOR, actor=ALICE)
    row = group.connections.get()
    url = reverse("hsm:connection", args=[row.pk])
    there = {**typed, "act": act, "kind": "gateway", "address": "hmg.invalid", "pin": "", "seen": editing.version(row)}
    refused = user_client.post(url, there)
    assert refused.status_code == 422
    assert "The stored PIN is not sent to another address." in text(refused)
    assert not ConnectionDraft.objects.exists()
    assert not Job.objects.exists()
    assert user_client.post(url, {**there, "pin": "2468"}).status_code == 302
    row.refresh_from_db()
    assert (
        admin_client.post(url, {**there, "address": "other.invalid", "seen": editing.version(row)}).status_code == 302
    )


def test_a_health_check_looks_at_what_is_due_and_finds_what_is_back(
    tested: Group,
) -> None:
    now = clock.now()
    assert health.due(now) == []
    (row,) = health.due(now + timedelta(seconds=health.EVERY_S + health.JITTER_S))
    states.failed(row, error_for("CKR_DEVICE_ERROR"))
    Connection.objects.update(checked_at=now - timedelta(minutes=5))
    assert health.check_due() == "Looked at 1 connections; 0 of them not connected."
    row.refresh_from_db()
    assert row.state == ConnectionState.CONNECTED
    Connection.objects.update(checked_at=now - timedelta(minutes=5), pin_rejected_version=row.pin_version)
    assert health.due(now) == []  # nothing to try until the PIN is entered anew


def test_what_was_found_about_an_edited_connection_is_not_written(group: Group, typed: dict[str, str]) -> None:
    stale = group.connections.get()
    Connection.objects.update(slot="77")
    states.failed(stale, error_for("CKR_DEVICE_ERROR"))
    assert group.connections.get().state == ConnectionState.CONNECTED


def test_a_draft_belongs_to_one_form(group: Group, typed: dict[str, str], admin_client: Client) -> None:
    """What was typed for one connection is sealed for it, so it can neither make nor change another one."""
    row = group.connections.get()
    other = add_connection(group, by_module(replace(PAPER, slot_id=9)))
    new, edit = reverse("hsm:connection-new", args=[group.pk]), reverse("hsm:connection", args=[row.pk])
    admin_client.post(edit, {**typed, "act": "test", "seen": editing.version(row)})
    draft = ConnectionDraft.objects.get()
    kept = {**typed, "slot": "7", "pin": "", "draft": str(draft.pk)}
    assert admin_client.post(new, kept).status_code == 404
    elsewhere = reverse("hsm:connection", args=[other.pk])
    assert admin_client.post(elsewhere, {**kept, "seen": editing.version(other)}).status_code == 404
    created = admin_client.post(
        reverse("hsm:group-new"), {**kept, "title": "New", "linked": "on", "trust": "global", "hsm_type": "luna"}
    )
    assert created.status_code == 422
    assert "kept for 15 minutes" in text(created)
    draft.delete()
    admin_client.post(new, {**typed, "slot": "8", "act": "test"})
    fresh = {**kept, "draft": str(ConnectionDraft.objects.get().pk), "seen": editing.version(row)}
    assert admin_client.post(edit, fresh).status_code == 404
    assert group.connections.count() == 2
