"""Security objects in Chromium: the form that follows its choices, jobs in place, dialogs; all of it in pictures."""

import re
from collections.abc import Callable

import pytest
from django.urls import reverse
from playwright.sync_api import Page, expect

from console.accounts.models import User
from console.jobs.models import Job
from hsm.device.base import KeySpec
from hsm.device.objects import Operation
from hsm.models.groups import Group
from hsm.models.objects import SecurityObject
from hsm.objects import generation, tags
from tests.browser import judging
from tests.browser.conftest import OpenPage
from tests.fixtures.softhsm import SoftHsm
from tests.hsm.objects.conftest import SIGNING, apply_changes
from tests.hsm.objects.samples import PASSPHRASE, ec_key, written

pytestmark = pytest.mark.one_database

RunJobs = Callable[..., list[Job]]


@pytest.fixture
def group(module_group: Callable[..., Group], softhsm: SoftHsm, software_group: Group, run_jobs: RunJobs) -> Group:
    made: Group = module_group(softhsm.token("luna-prod"))
    run_jobs()
    return made


@pytest.fixture
def key(group: Group, admin: User, run_jobs: RunJobs) -> SecurityObject:
    wanted = generation.Wanted("invoices", KeySpec.EC_P256, SIGNING)
    made, _ = generation.request(group, wanted, actor=admin.actor)
    run_jobs()
    made.refresh_from_db()
    return made


def judged(page: Page, name: str) -> None:
    judging.one_heading(page)
    judging.axe(page)
    judging.no_sideways_scroll(page)
    judging.shots(page, name)


def choose(page: Page, label: str) -> None:
    """Choose a radio button and wait for the form that follows from it."""
    with page.expect_response(lambda response: response.url.endswith("/objects/new/")):
        page.get_by_label(label).check()


def test_the_form_follows_its_choices(open_page: OpenPage, group: Group, admin: User, run_jobs: RunJobs) -> None:
    """SOB-13 to SOB-20 by hand: what was pasted stays while the type changes, and never travels with a choice."""
    page = open_page(admin)
    sent: list[str] = []
    page.on("request", lambda request: sent.append(request.post_data or "") if request.method == "POST" else None)
    with judging.silent(page):
        page.goto(reverse("hsm:objects"))
        page.get_by_role("link", name="Add New Security Object").first.click()
        expect(page.get_by_role("heading", level=1)).to_have_text("Add New Security Object")
        page.get_by_label("Name").fill("orders")
        expect(page.get_by_label("Assign to a group")).to_contain_text("Payroll")
        choose(page, "This is an HSM/external KMS object")
        expect(page.get_by_label("Assign to a group")).to_contain_text("Luna production")
        expect(page.get_by_label("Name")).to_have_value("orders")
        judged(page, "object-new")
        page.get_by_label("Assign to a group").select_option("Luna production")
        choose(page, "IMPORT")
        page.get_by_label("Place value here").fill(written(ec_key(), passphrase=PASSPHRASE).decode())
        with page.expect_response(lambda response: response.url.endswith("/objects/new/")):
            page.get_by_label("Key type").select_option("ec")
        expect(page.get_by_label("Key size")).to_contain_text("P-384")
        expect(page.get_by_label("Place value here")).to_have_value(re.compile("ENCRYPTED PRIVATE KEY"))
        assert not [body for body in sent if "PRIVATE" in body], "a choice carries no material"
        judged(page, "object-import")
        page.get_by_label("Passphrase").fill("not this one")
        page.get_by_role("button", name="IMPORT", exact=True).click()
        expect(page.get_by_text("Queued")).to_be_visible()
        run_jobs()
        expect(page.locator("#id_passphrase_error")).to_contain_text("does not open the private key")  # by itself
        expect(page.get_by_label("Name")).to_have_value("orders")
        expect(page.get_by_label("Place value here")).to_have_value("")
        judged(page, "object-import-failed")
        page.get_by_label("Place value here").fill(written(ec_key(), passphrase=PASSPHRASE).decode())
        page.get_by_label("Passphrase").fill(PASSPHRASE.decode())
        page.get_by_role("button", name="IMPORT", exact=True).click()
        expect(page.get_by_text("Queued")).to_be_visible()
        run_jobs()
        expect(page.get_by_role("heading", level=1)).to_have_text("orders")
        expect(page.get_by_role("link", name="INFO")).to_be_visible()


def test_the_page_of_a_key(
    open_page: OpenPage, key: SecurityObject, group: Group, admin: User, run_jobs: RunJobs
) -> None:
    tags.put(key, "owner", "Order system, team 4", actor=admin.actor)
    page = open_page(admin)
    with judging.silent(page):
        page.goto(reverse("hsm:object", args=[key.pk]))
        judged(page, "object-info")
        page.get_by_role("link", name="ATTRIBUTES/TAGS").click()
        expect(page.get_by_text("NCRYPT_ALGORITHM_PROPERTY")).to_be_visible()
        judged(page, "object-attributes")
        page.get_by_role("link", name="INFO").click()
        page.get_by_role("link", name="ROTATE KEY").click()
        judging.axe(page)
        page.get_by_role("button", name="Rotate key").click()
        expect(page.get_by_text("Queued")).to_be_visible()
        judged(page, "object-rotating")
        run_jobs()
        expect(page.get_by_role("heading", level=1)).to_contain_text("invoices (rotated")  # by itself
        page.get_by_role("link", name="invoices", exact=True).click()
        expect(page.get_by_role("heading", level=1)).to_have_text("invoices")
        page.go_back()
        expect(page.get_by_role("heading", level=1)).to_contain_text("invoices (rotated")
        judged(page, "object-rotated")


def test_destroying_asks_for_the_name(
    open_page: OpenPage, key: SecurityObject, group: Group, admin: User, run_jobs: RunJobs
) -> None:
    apply_changes(group)
    page = open_page(admin)
    page.goto(reverse("hsm:object", args=[key.pk]))
    page.get_by_role("link", name="DELETE SECURITY OBJECT").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("the key in the HSM is destroyed for good")
    judging.axe(page)
    judging.shots(page, "object-delete")
    dialog.get_by_label("To confirm, type invoices").fill("Invoices")
    dialog.get_by_role("button", name="Delete security object").click()
    expect(dialog).to_contain_text("does not match")
    dialog.get_by_label("To confirm, type invoices").fill("invoices")
    dialog.get_by_role("button", name="Delete security object").click()
    expect(page.get_by_text("Being deleted").first).to_be_visible()
    run_jobs()
    expect(page.get_by_role("heading", level=1)).to_have_text("Security Objects")
    assert not SecurityObject.objects.filter(state="active").exists()


def test_without_the_script(open_page: OpenPage, group: Group, admin: User, run_jobs: RunJobs) -> None:
    page = open_page(admin, script=False)
    page.goto(reverse("hsm:object-new"))
    page.get_by_label("Name").fill("plain")
    page.get_by_label("This is an HSM/external KMS object").check()
    page.get_by_label("Key type").select_option("ec")
    page.get_by_role("button", name="Show what fits these choices").click()
    page.get_by_label("Assign to a group").select_option("Luna production")
    page.get_by_label("Key size").select_option("P-384")
    page.get_by_role("button", name="GENERATE").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("plain")
    run_jobs()
    page.reload()
    expect(page.get_by_text("Active").first).to_be_visible()
    page.get_by_role("link", name="DEACTIVATE").click()
    page.get_by_role("button", name="Deactivate").click()
    expect(page.get_by_text("plain is deactivated.")).to_be_visible()
    made = SecurityObject.objects.get()
    assert made.deactivated_at
    assert Operation.SIGN in made.operations
