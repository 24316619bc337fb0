"""Groups and connections in Chromium: what htmx adds to pages that work without it."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, Route, expect

from console.accounts.models import User
from console.jobs.models import Job
from console.lib.secret import Secret
from console.servers.models import Server
from hsm.connections.entering import Entered
from hsm.models.groups import Connection, ConnectionKind, Group
from tests.browser import judging
from tests.browser.conftest import OpenPage
from tests.fixtures.groups import add_connection
from tests.fixtures.softhsm import SoftHsm, Token

pytestmark = pytest.mark.one_database

RunJobs = Callable[..., list[Job]]


@pytest.fixture
def token(softhsm: SoftHsm) -> Token:
    return softhsm.token("luna-prod", pin="1234")


@pytest.fixture
def page(open_page: OpenPage, server: Server, admin: User) -> Page:
    return open_page(admin)


@pytest.fixture
def group(module_group: Callable[..., Group], token: Token, run_jobs: RunJobs) -> Group:
    """Three connections, of which the first one works."""
    made: Group = module_group(token)
    for number in (1, 2):
        entered = Entered(ConnectionKind.GATEWAY, f"hmg-fra-{number}.invalid", slot=str(number), pin=Secret("24681357"))
        add_connection(made, entered)
    run_jobs()
    return made


def hsm_tab(page: Page, group: Group) -> None:
    page.goto("/hsm/groups/")
    page.get_by_role("link", name=group.title).click()
    expect(page.get_by_role("heading", level=1)).to_have_text(group.title)


def test_the_tab_tests_by_itself_and_shows_the_states_in_place(
    page: Page, group: Group, run_jobs: RunJobs
) -> None:  # GRP-31, GRP-26
    Job.objects.all().delete()
    with judging.silent(page):
        hsm_tab(page, group)
        expect(page.locator("[id^=status]").first).to_contain_text("Testing")
        assert len(run_jobs()) == 1
        expect(page.locator("#group-state")).to_have_text("1 of 3 connected")
        rows = page.get_by_role("table").get_by_role("row")
        expect(rows.nth(1)).to_contain_text("Connected")
        expect(rows.nth(2)).to_contain_text("Name not found")
        assert page.locator(".prio").all_inner_texts() == ["1", "2", "3"]
        expect(page.get_by_text("hmg-fra-1.invalid is not connected.")).to_be_visible()
        judging.axe(page)
        judging.shots(page, "group-hsm")


def test_an_answer_finds_the_part_of_the_page_that_asked_for_it(page: Page, group: Group, run_jobs: RunJobs) -> None:
    """The look at the states is on its way when somebody asks for a test, whose answer replaces what looked."""
    looks: list[Route] = []
    asked: list[str] = []
    page.route("**/states/?*", lambda route: looks.append(route) if not looks else route.continue_())
    page.on("request", lambda request: asked.append(request.url) if request.url.endswith("/test/") else None)
    with judging.silent(page):
        with page.expect_request("**/states/?*"):
            hsm_tab(page, group)
        asked.clear()
        page.get_by_role("button", name="Test connection hmg-fra-1.invalid").click()
        assert page.evaluate("1") == 1  # what the click sent would have been heard of by now
        assert not asked
        with page.expect_request("**/connections/*/test/"):
            looks[0].continue_()
        run_jobs()
        expect(page.locator("#group-state")).to_have_text("1 of 3 connected")


def test_the_menu_reorders_in_place(page: Page, group: Group, run_jobs: RunJobs) -> None:  # GRP-25
    hsm_tab(page, group)
    last = Connection.objects.get(address="hmg-fra-2.invalid")
    page.locator(f"#m-{last.pk}-button").click()
    menu = page.locator(f"#m-{last.pk}")
    assert [text.strip() for text in menu.locator("button").all_inner_texts()] == [
        "Move to the top",
        "Move up",
        "Move down",
        "Move to bottom",
    ]
    expect(menu.get_by_role("link", name="Delete connection")).to_be_visible()
    judging.shots(page, "group-menu")
    menu.get_by_role("button", name="Move to the top").click()
    expect(page.locator("#toasts")).to_contain_text("is now priority 1 of 3")
    expect(page.locator(f"#m-{last.pk}-button")).to_be_focused()
    page.reload()
    expect(page.get_by_role("table").get_by_role("row").nth(1)).to_contain_text("hmg-fra-2.invalid")


def test_a_form_is_tested_before_it_is_saved(page: Page, server: Server, token: Token, run_jobs: RunJobs) -> None:
    with judging.silent(page):
        page.goto("/hsm/groups/new/")
        judging.shots(page, "group-new")
        page.get_by_label("Title").fill("Luna production")
        page.get_by_role("button", name="LINK HSM/EXTERNAL KMS").click()
        expect(page.get_by_label("HMG IP-address")).to_be_visible()
        expect(page.get_by_label("Module path")).to_be_hidden()
        page.get_by_text("ADD CONFIGURATION").click()
        expect(page.get_by_text("Client Certificate", exact=False).first).to_be_hidden()
        page.get_by_label("Custom CA Certificate").check()
        expect(page.get_by_text("Client Certificate", exact=False).first).to_be_visible()
        judging.axe(page)
        judging.shots(page, "group-new-linked")
        page.get_by_label("Global Root CA").check()
        page.get_by_label("a PKCS#11 module on this server").check()
        page.get_by_label("Module path").fill(token.module)
        page.get_by_label("Slot").fill(hex(token.slot_id))
        page.get_by_label("PIN").fill(token.pin)
        page.get_by_role("button", name="TEST CONNECTION").click()
        expect(page.get_by_text("Testing the connection")).to_be_visible()
        run_jobs()
        expect(page.locator("#test-result")).to_contain_text("Connected")  # GRP-19
        expect(page.locator("#test-result")).to_contain_text("luna-prod")
        expect(page.get_by_label("PIN")).to_have_value("")
        judging.shots(page, "group-new-tested")
        page.get_by_role("button", name="SAVE").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("Luna production")
    run_jobs()
    assert Connection.objects.get().state == "connected"  # with the PIN that was entered once


def test_pages_of_a_group(page: Page, group: Group, software_group: Group, run_jobs: RunJobs) -> None:
    run_jobs()
    for name, path in (
        ("groups", "/hsm/groups/"),
        ("group-info", f"/hsm/groups/{group.pk}/"),
        ("group-software", f"/hsm/groups/{software_group.pk}/"),
        ("group-certificates", f"/hsm/groups/{group.pk}/certificates/"),
        ("connection-new", f"/hsm/groups/{group.pk}/connections/new/"),
        ("group-delete", f"/hsm/groups/{group.pk}/delete/"),
        ("group-policy", f"/hsm/groups/{group.pk}/policy/"),
    ):
        page.goto(path)
        judging.one_heading(page)
        judging.axe(page)
        judging.shots(page, name)
        page.set_viewport_size(judging.PHONE)
        judging.no_sideways_scroll(page)
        page.set_viewport_size(judging.DESKTOP)
