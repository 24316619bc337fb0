"""Every page and dialog of the console, found in the URL conf: WCAG, width, one heading, its own title, silence."""

import re
from collections.abc import Iterator

import pytest
from django.test import Client
from django.urls import reverse
from playwright.sync_api import Page, expect

from console.accounts.models import User
from console.servers.models import Server
from tests.browser import judging
from tests.browser.conftest import OpenPage
from tests.browser.routes import addresses, is_dialog, is_page, routes
from tests.browser.world import World

pytestmark = pytest.mark.one_database

ROUTES = tuple(routes())
AREAS = sorted({route.area for route in ROUTES})
TITLE = re.compile(r"<title>(.*?)</title>", re.DOTALL)


def paths(world: World, area: str = "") -> Iterator[tuple[str, str]]:
    """Yield a name, fit for a file, and a path for each address of an app, or of all."""
    values = world.values()
    for route in ROUTES:
        if area in {"", route.area}:
            for number, path in enumerate(addresses(route, values)):
                yield f"{route.name.replace(':', '-')}{f'-{number}' if number else ''}", path


@pytest.mark.slow
@pytest.mark.parametrize("area", AREAS)
def test_pages(open_page: OpenPage, world: World, admin_client: Client, area: str) -> None:
    """Each page of an app and the dialog it may be: light, dark and on a phone. All faults are told at once."""
    page, faults = open_page(world.admin), []
    for name, path in paths(world, area):
        try:
            visit(page, admin_client, path, name)
        except AssertionError as fault:
            faults.append(f"{name}: {fault}")
    assert not faults, "\n\n".join(faults)


def visit(page: Page, client: Client, path: str, name: str) -> None:
    """Judge the page at a path, and what htmx would make of it."""
    if not is_page(client, path):
        return
    with judging.silent(page):
        page.goto(path)
        judging.everything(page, name)
    if is_dialog(client, path):
        judge_dialog(page, path, f"{name}-dialog")


@pytest.mark.parametrize("name", ["account_login", "no-such-page"])
def test_pages_of_nobody(open_page: OpenPage, server: Server, name: str) -> None:
    page = open_page()
    path = f"/{name}/" if name == "no-such-page" else reverse(name)
    with judging.silent(page):
        page.goto(path)
        judging.everything(page, f"signed-out-{name}")


def test_pages_of_who_may_only_read_or_nothing(open_page: OpenPage, world: World, plain_user: User) -> None:
    """What a role takes away leaves no hole behind, and no button."""
    reader = open_page(world.auditor)
    with judging.silent(reader):
        for path in (reverse("keys:current-server"), reverse("settings_store:list"), reverse("accounts:users")):
            reader.goto(path)
            judging.everything(reader)
            expect(reader.locator("main .btn.primary")).to_have_count(0)
    guest = open_page(plain_user)
    with judging.silent(guest):
        guest.goto("/")
        judging.everything(guest)
        guest.goto(reverse("keys:current-server"))
        expect(guest.locator("h1")).to_have_text("Refused")
        judging.everything(guest)


@pytest.mark.slow
def test_titles_differ(world: World, admin_client: Client) -> None:
    """A browser's history, and a screen reader's first word, tell pages apart."""
    seen: dict[str, str] = {}
    for name, path in paths(world):
        if not is_page(admin_client, path):
            continue
        match = TITLE.search(admin_client.get(path).content.decode())
        assert match, f"{name} has no title"
        assert re.fullmatch(rf".+ · {re.escape(world.new.server.fqdn)} · Keystead", match[1]), f"{name}: {match[1]}"
        other = seen.setdefault(match[1], path)
        assert other == path, f"{path} and {other} are both “{match[1]}”"


def judge_dialog(page: Page, path: str, name: str) -> None:
    """Open a dialog over the smallest page there is, and judge both together."""
    with judging.silent(page):
        page.goto("/no-such-page/")
        page.evaluate("path => htmx.ajax('GET', path, {target: '#modal', swap: 'innerHTML'})", path)
        expect(page.locator("dialog[open]")).to_be_visible()
        expect(page.locator("#dialog-title")).to_be_focused()
        judging.axe(page)
        page.emulate_media(color_scheme="dark")
        judging.contrast(page)
        page.emulate_media(color_scheme="light")
        judging.shots(page, name)
        judging.no_sideways_scroll(page)
