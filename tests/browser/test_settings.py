"""Settings and the guided page in Chromium, with the script: what htmx adds to pages that work without it."""

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Locator, Page, expect

from console.accounts.models import User
from console.jobs.models import Job
from console.servers.models import Server
from settings_store import values
from settings_store.models import Setting
from tests.browser import judging
from tests.browser.conftest import OpenPage
from tests.fixtures.softhsm import SoftHsm, Token

pytestmark = pytest.mark.one_database

RunJobs = Callable[..., list[Job]]


@pytest.fixture
def token(softhsm: SoftHsm) -> Token:
    return softhsm.token("alpha", pin="1234")


@pytest.fixture
def page(open_page: OpenPage, server: Server, admin: User) -> Page:
    return open_page(admin)


def menu(page: Page) -> Locator:
    """Return the main menu."""
    return page.get_by_role("navigation", name="Main")


def advanced_settings(page: Page) -> None:
    """Walk the documented path (NAV-01)."""
    page.goto("/")
    menu(page).get_by_role("link", name="Advanced Settings").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Advanced Settings")


def add(page: Page, name: str, value: str) -> None:
    """Add a setting by hand; its type and scope are filled in when the name is known."""
    page.get_by_role("link", name="Add Setting").click()
    page.get_by_label("Platform Setting Name").fill(name)
    page.get_by_label("Platform Setting Name").press("Tab")
    expect(page.get_by_role("region", name=f"About {name}")).to_be_visible()
    page.get_by_label("Value", exact=True).fill(value)
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text(f"{name} is saved.")).to_be_visible()


def test_hsm_settings_by_hand_then_filtered_and_deleted(page: Page, token: Token) -> None:  # walkthrough 3 and 7
    with judging.silent(page):
        advanced_settings(page)
        add(page, "HSMModulePath", token.module)
        add(page, "Keys.Root.UseHSM", "1")
        add(page, "Keys.Root.HSMPassword", token.pin)
        add(page, "Keys.Root.HSMTokenName", token.label)
        assert {row.value_type for row in Setting.objects.all()} == {"Text", "Numeric", "Protected"}
        assert token.pin not in re.sub(r"\d{5,}|:\d+", "", page.content())
        page.get_by_label("Filter items").fill("HSM")
        expect(page.locator("tbody tr")).to_have_count(4)
        expect(page).to_have_url(re.compile(r"[?&]q=HSM"))
        page.get_by_label("Select all rows").check()
        button = page.get_by_role("button", name="Delete Selected Settings")
        expect(button).to_contain_text("(4)")
        button.click()
        dialog = page.get_by_role("dialog")
        expect(dialog).to_be_visible()
        judging.axe(page)
        dialog.get_by_role("button", name="Delete 4 settings").click()
        expect(page.get_by_text("4 settings deleted.")).to_be_visible()
    assert not Setting.objects.exists()


def test_what_was_chosen_and_typed_stays_when_the_form_learns_more(page: Page) -> None:
    page.goto("/settings/add/")
    page.get_by_label("Setting Type").select_option("Global")
    page.get_by_label("Value", exact=True).fill("typed first")
    name = page.get_by_label("Platform Setting Name")
    with page.expect_response(re.compile("/settings/add/")) as answered:
        name.fill("SomethingElse")
        name.press("Tab")
    assert "typed" not in answered.value.url
    expect(page.get_by_label("Setting Type")).to_have_value("Global")
    expect(page.get_by_label("Value", exact=True)).to_have_value("typed first")
    with page.expect_response(re.compile("/settings/add/")):
        page.get_by_label("Value Type").select_option("Protected")
    expect(page.get_by_label("Value", exact=True)).to_have_attribute("type", "password")
    expect(page.get_by_label("Setting Type")).to_have_value("Global")


def test_an_answer_that_was_overtaken_takes_nothing_back(page: Page) -> None:
    page.goto("/settings/add/")
    page.route(re.compile("value_type=Text"), lambda _route: None)  # it would come late
    with page.expect_event("requestfailed", lambda request: "value_type=Text" in request.url):
        with page.expect_request(re.compile("value_type=Text")):
            page.get_by_label("Platform Setting Name").fill("SomethingElse")
            page.get_by_label("Platform Setting Name").press("Tab")
        page.get_by_label("Value Type").select_option("Protected")
    expect(page.get_by_label("Value", exact=True)).to_have_attribute("type", "password")
    expect(page.get_by_label("Value Type")).to_have_value("Protected")


def test_the_guided_page_lists_tokens_and_checks_in_place(page: Page, token: Token, run_jobs: RunJobs) -> None:
    with judging.silent(page):
        page.goto("/")
        menu(page).get_by_role("link", name="HSM integration").click()
        page.get_by_role("link", name="2. Name the PKCS#11 module").click()
        page.get_by_label("HSMModulePath").fill(token.module)
        page.get_by_role("button", name="Save and go on").click()
        expect(page.get_by_role("heading", level=1)).to_contain_text("3.")
        page.get_by_label("on the HSM, and never leaves it").first.check()
        page.get_by_role("button", name="Save and go on").click()
        page.get_by_label("Keys.Root.HSMPassword").fill(token.pin)
        page.get_by_role("button", name="Save and go on").click()
        expect(page.get_by_role("heading", level=1)).to_contain_text("5.")
        with page.expect_navigation():  # a click returns before the form is sent
            page.get_by_role("button", name="List tokens").click()
        run_jobs()
        expect(page.locator("#module-tokens")).to_contain_text(token.serial)
        page.get_by_label("Token of the root key").select_option(f"{token.slot_id}:alpha")
        page.get_by_role("button", name="Save and go on").click()
        expect(page.get_by_role("heading", level=1)).to_contain_text("6.")
        page.get_by_role("link", name="7. Check (no restart is needed)").first.click()
        with page.expect_navigation():
            page.get_by_role("button", name="Check HSM integration").click()
        run_jobs()
        expect(page.locator("#check-report")).to_contain_text("lines are in order")
        judging.axe(page)
    assert values.text("Keys.Root.HSMTokenName") == "alpha"
