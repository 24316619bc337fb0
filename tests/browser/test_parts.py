"""The parts of the console on a page of their own: their accessibility, and what the script does with them."""

import re

import pytest
from django.conf import LazySettings
from playwright.sync_api import Page, expect

from console.accounts.models import User
from console.env import BASE_DIR
from console.servers.models import Server
from tests.browser import judging
from tests.browser.conftest import OpenPage

pytestmark = pytest.mark.one_database

SCREENS = [("light", judging.DESKTOP), ("dark", judging.DESKTOP), ("light", judging.PHONE)]
TOAST_GOES_MS = 60_000


@pytest.fixture(autouse=True)
def _sample(settings: LazySettings, server: Server) -> None:
    [engine] = settings.TEMPLATES
    folders = [BASE_DIR / "templates", BASE_DIR / "tests/browser/sample/templates"]
    settings.TEMPLATES = [{**engine, "DIRS": folders}]
    settings.ROOT_URLCONF = "tests.browser.sample.urls"


@pytest.mark.parametrize(("scheme", "viewport"), SCREENS, ids=["light", "dark", "phone"])
def test_every_part_passes_axe(open_page: OpenPage, admin: User, scheme: str, viewport: dict[str, int]) -> None:
    page = open_page(admin, scheme=scheme, viewport=viewport)
    with judging.silent(page):
        page.goto("/sample/")
        judging.axe(page)
        judging.no_sideways_scroll(page)
        page.locator("#opener").click()
        expect(page.locator("dialog[open]")).to_be_visible()
        judging.axe(page)
        page.locator("dialog button[type=submit]").click()
        expect(page.locator("dialog .summary")).to_be_visible()
        judging.axe(page)


@pytest.fixture
def page(open_page: OpenPage, admin: User) -> Page:
    page = open_page(admin)
    page.goto("/sample/")
    return page


def test_the_first_tab_is_the_skip_link(page: Page) -> None:
    page.keyboard.press("Tab")
    expect(page.locator(".skip")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#main")).to_be_focused()


def test_a_dialog_takes_the_focus_keeps_it_on_the_bad_field_and_gives_it_back(page: Page) -> None:
    page.locator("#opener").click()
    expect(page.locator("#dialog-title")).to_be_focused()
    page.locator("dialog button[type=submit]").click()
    expect(page.locator("#dialog_name")).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.locator("dialog")).to_have_count(0)
    expect(page.locator("#opener")).to_be_focused()


def test_a_dialog_from_a_menu_gives_the_focus_back_to_the_menu_button(page: Page) -> None:
    page.locator("#menu-a-button").click()
    page.locator("#menu-a >> text=Delete").click()
    page.locator("dialog >> text=Cancel").click()
    expect(page.locator("#menu-a-button")).to_be_focused()


def test_a_good_answer_is_a_toast_that_is_spoken_and_goes(page: Page) -> None:
    page.locator("#opener").click()
    page.locator("#dialog_name").fill("token")
    page.locator("dialog >> text=Now").click()
    page.locator("dialog >> text=I have made a backup").click()
    page.locator("dialog button[type=submit]").click()
    expect(page.locator(".toast.ok")).to_have_text("Root 1 was created")
    expect(page.locator("#live")).to_have_text("Root 1 was created")
    expect(page.locator(".toast")).to_have_count(0, timeout=TOAST_GOES_MS)


def test_a_refusal_is_told_in_its_own_words_once_and_stays(page: Page) -> None:
    page.locator("#refused").click()
    expect(page.locator(".toast")).to_have_count(1)
    expect(page.locator(".toast.warn")).to_contain_text("Root 0 was revoked a moment ago")
    page.locator(".toast [data-dismiss]").click()
    expect(page.locator(".toast")).to_have_count(0)


def test_copy_puts_the_whole_digest_on_the_clipboard(page: Page) -> None:
    button = page.locator(".fpbox [data-copy]")
    button.click()
    expect(page.locator(".toast.ok")).to_have_text("Fingerprint of Root 0 copied")
    assert page.evaluate("navigator.clipboard.readText()") == button.get_attribute("data-copy")


def test_a_slash_goes_to_the_filter(page: Page) -> None:
    page.keyboard.press("/")
    expect(page.locator("#filter")).to_be_focused()


def test_select_all_selects_and_counts(page: Page) -> None:
    page.locator("[data-check-all]").click()
    expect(page.locator("[data-row]:checked")).to_have_count(2)
    expect(page.locator("[data-count]")).to_have_text("(2)")
    page.locator("[data-row]").first.click()
    expect(page.locator("[data-count]")).to_have_text("(1)")


def test_an_unavailable_button_does_nothing(page: Page) -> None:
    button = page.locator("button[aria-disabled=true]")
    button.dispatch_event("click")
    assert page.url.endswith("/sample/")
    expect(button).to_have_attribute("aria-describedby", "why")


def test_a_double_click_sends_a_form_once(page: Page) -> None:
    sent: list[str] = []
    page.on("request", lambda request: sent.append(request.url) if request.method == "POST" else None)
    page.locator("#opener").click()
    page.locator("dialog button[type=submit]").dblclick()
    expect(page.locator("dialog .summary")).to_be_visible()
    assert len(sent) == 1


def test_the_clock_goes_on_in_the_words_of_the_server(page: Page) -> None:
    clock = page.locator(".tz time")
    page.evaluate("document.querySelector('.tz time').textContent = ''")
    expect(clock).to_have_text(re.compile(r"^\d{1,2} [A-Z][a-z]{2} 20\d\d, \d\d:\d\d UTC$"))


def test_the_theme_stays_chosen_and_the_page_stays_open(page: Page) -> None:
    html = page.locator("html")
    assert html.get_attribute("data-theme") is None
    page.locator("#theme-button").click()
    page.locator("#theme-menu >> text=Dark").click()
    expect(html).to_have_attribute("data-theme", "dark")
    assert page.url.endswith("/sample/")
    page.goto("/sample/?again")
    expect(html).to_have_attribute("data-theme", "dark")


def test_the_drawer_opens_on_a_phone_and_escape_closes_it(open_page: OpenPage, admin: User) -> None:
    page = open_page(admin, viewport=judging.PHONE)
    page.goto("/sample/")
    page.locator("[data-drawer]").click()
    expect(page.locator("#side")).to_be_visible()
    judging.axe(page)
    page.keyboard.press("Escape")
    expect(page.locator("#side")).to_be_hidden()
    expect(page.locator("[data-drawer]")).to_be_focused()


def test_without_script_the_same_form_is_a_page(open_page: OpenPage, admin: User) -> None:
    page = open_page(admin, script=False)
    page.goto("/sample/")
    page.locator("main button[type=submit]").click()
    expect(page.locator("main .summary")).to_be_visible()


def test_an_error_nobody_foresaw_shows_nothing_of_it(open_page: OpenPage, admin: User) -> None:
    page = open_page(admin)
    response = page.goto("/sample/broken/")
    assert response
    assert response.status == 500
    expect(page.locator("h1")).to_have_text("Something went wrong")
    assert "secret" not in page.content()
    judging.axe(page)
