"""The Key sync card, the report, deleted virtual keys and the interval, as each role meets them."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse

from console.accounts.models import User
from console.activity.models import Entry, Outcome
from console.jobs import sweeping
from console.jobs.models import Job, State
from console.lib import clock
from console.servers.models import Server
from hsm.actions import Action
from hsm.models.groups import Group, GroupMember, GroupRole, Scan
from hsm.models.objects import SecurityObject, Tombstone
from hsm.syncing import tombstones
from tests.fixtures.groups import ALICE
from tests.fixtures.softhsm import Token
from tests.hsm.syncing.conftest import Sync
from tests.hsm.syncing.outside import Outside

RunJobs = Callable[..., list[Job]]
HTMX = {"HX-Request": "true"}


def url(name: str, group: Group) -> str:
    return reverse(f"hsm:{name}", args=[group.pk])


def test_sync_keys_from_the_tab_and_watch_it(
    admin_client: Client, group: Group, outside: Outside, run_jobs: RunJobs
) -> None:  # GRP-35, GRP-36
    outside.ec("a1").aes("a2").done()
    begun = admin_client.post(url("sync", group), headers=HTMX)
    assert "Syncing" in begun.content.decode()
    assert "load delay" in begun.content.decode()
    assert admin_client.get(url("sync-card", group)).status_code == 200
    run_jobs()
    ended = admin_client.get(url("sync-card", group))
    assert ended.status_code == 286
    assert "2 new keys from the HSM are added." in ended.content.decode()
    assert "job-finished" in ended.headers["HX-Trigger"]
    report = admin_client.get(reverse("hsm:sync-report", args=[Job.objects.get(kind_name="hsm.sync").pk]))
    assert "New keys" in report.content.decode()


def test_without_script_the_tab_comes_back(admin_client: Client, group: Group) -> None:
    assert admin_client.post(url("sync", group)).url == url("group-hsm", group)  # type: ignore[attr-defined]
    assert "Key sync" in admin_client.get(url("group-hsm", group)).content.decode()


def test_two_at_once_one_is_refused(admin_client: Client, group: Group) -> None:  # two syncs at once
    admin_client.post(url("sync", group))
    refused = admin_client.post(url("sync", group))
    assert refused.status_code == 409
    assert "being synced already" in refused.content.decode()
    assert Job.objects.filter(kind_name="hsm.sync").count() == 1
    assert Entry.objects.filter(action="hsm.group.sync-requested", outcome="refused").count() == 1


def test_nothing_to_sync_with(admin_client: Client, group: Group, software_group: Group) -> None:  # GRP-37
    group.connections.all().delete()
    for one in (group, software_group):
        assert admin_client.post(url("sync", one)).status_code == 403
    assert not Job.objects.filter(kind_name="hsm.sync").exists()


def test_a_failed_sync_says_why_on_the_card(
    admin_client: Client, module_group: Callable[..., Group], token: Token, run_jobs: RunJobs
) -> None:  # GRP-37
    group = module_group(token, "wrong PIN", pin="0000")
    admin_client.post(url("sync", group))
    run_jobs()
    card = admin_client.get(url("group-hsm", group)).content.decode()
    assert "The last sync changed nothing." in card
    assert "No virtual key was changed." in card
    assert Entry.objects.get(action=Action.SYNCED).outcome == Outcome.FAILED


@pytest.mark.parametrize(("role", "status"), [(GroupRole.ADMINISTRATOR, 302), (GroupRole.MEMBER, 403)])
def test_who_may_sync(
    plain_user: User, as_user: Callable[..., Client], group: Group, role: GroupRole, status: int
) -> None:  # ROL-09
    client = as_user(plain_user)
    assert client.post(url("sync", group)).status_code == 404
    GroupMember.objects.create(group=group, user=plain_user, role=role, added_at=clock.now(), added_by="alice")
    assert client.post(url("sync", group)).status_code == status
    assert client.get(url("tombstones", group)).status_code == 200


def test_import_again_one_and_all(
    admin_client: Client, group: Group, outside: Outside, sync: Sync, token: Token, run_jobs: RunJobs
) -> None:  # AMB-38
    outside.ec("b1", "one").ec("b2", "two").ec("b3", "three").done()
    sync(group)
    for key in SecurityObject.objects.all():
        tombstones.bury(key, token_label=token.label, token_serial=token.serial, actor=ALICE)
        key.delete()
    Group.objects.filter(pk=group.pk).update(scan=Scan.OWN)
    page = admin_client.get(url("tombstones", group)).content.decode()
    assert page.count('name="grave"') == 3
    one = Tombstone.objects.get(name="one")
    admin_client.post(url("tombstone-import", group), {"grave": str(one.pk)})
    run_jobs()
    assert [key.name for key in SecurityObject.objects.all()] == ["one"]
    admin_client.post(url("tombstone-import", group), {"all": "1"})
    run_jobs()
    assert SecurityObject.objects.count() == 3
    assert not Tombstone.objects.exists()
    assert admin_client.post(url("tombstone-import", group), {"all": "1"}).status_code == 404
    assert admin_client.post(url("tombstone-import", group), {"grave": "nonsense"}).status_code == 422


def test_a_group_is_synced_by_itself_only_when_somebody_wants_that(
    admin_client: Client, group: Group, outside: Outside, server: Server, run_jobs: RunJobs,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # AMB-46  # fmt: skip
    outside.ec("c1").done()
    run_due(server, run_jobs)
    assert not Job.objects.filter(kind_name="hsm.sync").exists()
    assert admin_client.post(url("sync-interval", group), {"every": "7"}).status_code == 422
    admin_client.post(url("sync-interval", group), {"every": "6"})
    assert Entry.objects.filter(action="hsm.group.sync-interval-changed").count() == 1
    run_due(server, run_jobs)
    run_due(server, run_jobs)
    (job,) = Job.objects.filter(kind_name="hsm.sync")
    assert (job.state, job.actor_kind) == (State.SUCCEEDED, "system")
    later = clock.now() + timedelta(hours=6, minutes=1)
    monkeypatch.setattr(clock, "now", lambda: later)
    run_due(server, run_jobs)
    assert Job.objects.filter(kind_name="hsm.sync").count() == 2


def run_due(server: Server, run_jobs: RunJobs) -> None:
    """Let the housekeeping row run now."""
    sweeping.ensure_housekeeping(server, clock.now())
    Job.objects.filter(kind_name="hsm.sync-due").update(due_at=clock.now(), state=State.QUEUED)
    run_jobs()
