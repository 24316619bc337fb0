"""Sync keys and the table of all keys, as they are seen and used in a browser."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.urls import reverse
from playwright.sync_api import Page, expect

from console.accounts.models import User
from console.jobs.models import Job, State
from console.lib import clock
from hsm.models.groups import Group
from hsm.models.objects import SecurityObject
from hsm.syncing import tombstones
from tests.browser import judging
from tests.browser.conftest import OpenPage
from tests.fixtures.groups import ALICE
from tests.fixtures.softhsm import SoftHsm
from tests.hsm.syncing.outside import Outside

pytestmark = pytest.mark.one_database

RunJobs = Callable[..., list[Job]]


@pytest.fixture
def page(open_page: OpenPage, admin: User) -> Page:
    return open_page(admin)


def test_sync_keys(page: Page, module_group: Callable[..., Group], softhsm: SoftHsm, run_jobs: RunJobs) -> None:
    """From the empty table through a sync to its report; the focus stays on the button."""
    token = softhsm.token("luna-prod")
    group = module_group(token)
    with judging.silent(page):
        page.goto(reverse("hsm:objects"))
        expect(page.get_by_text("No security object yet")).to_be_visible()
        judging.everything(page, "objects-empty")
        Outside(token).ec("a1", "payroll signing").ec("a2", "archive").aes("a3", "vault").ec("a4", "").ec(
            "a5", "no half"
        ).destroy("private", "a5").done()
        page.goto(reverse("hsm:group-hsm", args=[group.pk]))
        page.get_by_role("button", name="Sync keys").click()
        expect(page.get_by_role("button", name="Syncing")).to_be_visible()
        run_jobs()
        expect(page.get_by_text("5 new keys from the HSM are added.", exact=True)).to_be_visible()
        assert page.evaluate("document.activeElement.id") == "sync-keys"
        judging.everything(page, "sync-done")
        page.get_by_role("link", name="Report of the last sync").click()
        expect(page.get_by_role("heading", name="Sync report")).to_be_visible()
        judging.everything(page, "sync-report")


def test_a_sync_that_goes_on_or_has_failed(page: Page, module_group: Callable[..., Group], softhsm: SoftHsm) -> None:
    group = module_group(softhsm.token("luna-prod"))
    now = clock.now()
    job = Job.objects.create(
        kind_name="hsm.sync", server=group.server, subject_kind="group", subject_id=str(group.pk),
        subject_label=group.title, actor_kind="user", actor_name="alice", state=State.RUNNING, attempts=1, done=93,
        total=151, message="93 of 151 new keys", due_at=now, created_at=now, started_at=now,
        lease_until=now + timedelta(hours=1),
    )  # fmt: skip
    address = reverse("hsm:group-hsm", args=[group.pk])
    page.goto(address)
    expect(page.get_by_role("progressbar")).to_be_visible()
    judging.everything(page, "sync-running")
    Job.objects.filter(pk=job.pk).update(
        state=State.FAILED, error_code="CKR_DEVICE_ERROR", finished_at=now, next_step="Check the HSM's power.",
        message="The HSM reported an error. No virtual key was changed.",
    )  # fmt: skip
    page.goto(address)
    expect(page.get_by_text("The last sync changed nothing.")).to_be_visible()
    judging.everything(page, "sync-failed")


def test_deleted_virtual_keys(
    page: Page, module_group: Callable[..., Group], softhsm: SoftHsm, run_jobs: RunJobs
) -> None:
    token = softhsm.token("luna-prod")
    group = module_group(token)
    Outside(token).ec("a1", "payroll signing").ec("a2", "archive").done()
    page.goto(reverse("hsm:group-hsm", args=[group.pk]))
    page.get_by_role("button", name="Sync keys").click()
    expect(page.get_by_role("button", name="Syncing")).to_be_visible()
    run_jobs()
    for key in SecurityObject.objects.all():
        tombstones.bury(key, token_label=token.label, token_serial=token.serial, actor=ALICE)
        key.delete()
    page.goto(reverse("hsm:tombstones", args=[group.pk]))
    judging.everything(page, "tombstones")
    page.get_by_role("button", name="Import again archive").click()
    run_jobs()
    page.goto(reverse("hsm:objects"))
    expect(page.get_by_role("link", name="archive")).to_be_visible()
    expect(page.get_by_text("1 object", exact=False)).to_be_visible()


def test_the_table_of_all_keys(page: Page, module_group: Callable[..., Group], softhsm: SoftHsm) -> None:
    """Filter, sort and page by keyboard and mouse, without a reload, and with an address that can be kept."""
    group = module_group(softhsm.token("luna-prod"))
    now = clock.now()
    marks: tuple[dict[str, Any], ...] = (
        {}, {"deactivated_at": now}, {"rotated_at": now}, {"missing_since": now}, {"out_of_step": True},
        {"state": "unknown"}, {"private_removed_at": now, "missing_since": now},
    )  # fmt: skip
    SecurityObject.objects.bulk_create(
        SecurityObject(
            group=group, name=f"key {number:03}", label=f"label {number}", family="key-pair", spec="ec-p256",
            key_type="EC", bits=256, key_id=f"{number:032x}", fingerprint=f"{number * 7919:064x}"[::-1], origin="found",
            operations=["encrypt", "decrypt", "sign", "verify", "wrap", "unwrap"], created_by="Sync keys",
            created_at=now - timedelta(minutes=number), **({"state": "active"} | marks[number % len(marks)]),
        )
        for number in range(60)
    )  # fmt: skip
    with judging.silent(page):
        page.goto(reverse("hsm:objects"))
        judging.everything(page, "objects")
        page.get_by_role("link", name="Next").click()
        expect(page.get_by_role("link", name="key 059")).to_be_visible()
        page.get_by_role("link", name="Name", exact=True).click()
        expect(page.get_by_role("link", name="key 000")).to_be_visible()
        assert "sort=name" in page.url
        page.get_by_label("State").select_option("missing")
        expect(page.get_by_role("link", name="key 000")).to_be_hidden()
        expect(page.get_by_role("link", name="key 003")).to_be_visible()
        page.get_by_role("searchbox").fill("nothing like it")
        expect(page.get_by_role("link", name="Clear all filters")).to_be_visible()
        judging.axe(page)
        page.get_by_role("link", name="Clear all filters").click()
        expect(page.get_by_role("link", name="key 000")).to_be_visible()
        page.goto(f"{reverse('hsm:objects-export')}?state=missing")
        judging.everything(page, "objects-export")
