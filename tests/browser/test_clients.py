"""Client Status in a browser: filters and orders without a reload, Back, the keyboard, and a revocation."""

import re

import pytest
from django.db import transaction
from django.urls import reverse
from playwright.sync_api import Page, expect

from console.accounts.models import User
from console.activity import log
from console.lib import clock
from console.lib.actor import Actor
from console.servers.models import Server
from keys.actions import Action as KeyAction
from tests.browser import judging
from tests.browser.conftest import OpenPage
from tests.trust import rows
from trust.clients import counting
from trust.models.clients import NEVER, Client

pytestmark = pytest.mark.one_database


@pytest.fixture
def page(server: Server, admin: User, open_page: OpenPage) -> Page:
    """Show 60 clients with TLS and two without."""
    for number in range(60):
        rows.client(server, f"dsk-{number:02}", root=None)
    for name in ("till-1", "till-2"):
        rows.client(server, name, authenticated=False, using_tls=False, protocol=314, certificate_until=NEVER)
    counting.count(server)
    shown = open_page(admin)
    shown.goto(reverse("trust:clients"))
    return shown


def names(page: Page) -> list[str]:
    return page.locator("#grid tbody th a").all_inner_texts()


def test_look_at_using_tls_and_change_a_setting(page: Page) -> None:  # CLI-01, CLI-03
    """The documented procedure: set both filters, read the column, then change the settings."""
    with judging.silent(page):
        page.get_by_label("Registered using TLS").uncheck()
        expect(page.locator("#grid tbody tr")).to_have_count(2)
        assert page.locator("#grid").get_by_text("No, unencrypted").count() == 2
        page.get_by_label("Registered unencrypted").uncheck()
        expect(page.get_by_role("heading", name="No client matches")).to_be_visible()
        page.get_by_role("link", name="Clear all filters").click()
        expect(page.locator("#grid tbody tr")).to_have_count(50)
        page.get_by_role("link", name="Advanced Settings").click()
        expect(page.get_by_role("link", name="ReportingTLSMode", exact=True)).to_be_visible()
        page.go_back()
        expect(page.locator("#grid tbody tr")).to_have_count(50)


def test_order_search_and_back_keep_the_place(page: Page) -> None:
    with judging.silent(page):
        page.locator("#sort-name").press("Enter")
        expect(page.locator("#grid th[aria-sort=ascending]")).to_contain_text("Host name")
        expect(page.locator("#sort-name")).to_be_focused()
        page.locator("#pager-next").press("Enter")
        expect(page.locator("#grid tbody tr")).to_have_count(12)
        assert names(page)[-1] == "till-2"
        page.reload()
        assert names(page)[-1] == "till-2"
        page.go_back()
        expect(page.locator("#grid tbody tr")).to_have_count(50)
        assert names(page)[0] == "dsk-00"
        page.keyboard.press("/")
        page.keyboard.type("till")
        expect(page.locator("#grid tbody tr")).to_have_count(2)
        expect(page).to_have_url(re.compile("q=till.*sort=name"))


def test_one_long_name_hides_no_column(page: Page, server: Server) -> None:
    rows.client(server, ".".join(letter * 62 for letter in "abcd"), root=None)
    page.goto(f"{reverse('trust:clients')}?q=aaaa")
    expect(page.locator("#grid tbody th")).to_be_in_viewport()
    expect(page.locator("#grid").get_by_text("Last registration, UTC")).to_be_in_viewport(ratio=1)
    page.locator("#grid tbody a").click()
    page.locator("#act-revoke").click()
    page.get_by_role("button", name="Revoke client").click()
    expect(page.locator("#id_typed_error")).to_be_visible()
    assert page.locator("dialog .body").evaluate("body => body.scrollWidth <= body.clientWidth")


def test_a_client_is_revoked_in_its_dialog(page: Page) -> None:
    client = Client.objects.get(name="dsk-00")
    page.goto(reverse("trust:clients"))
    expect(page.locator("#side .env")).to_be_in_viewport(ratio=1)  # on which server
    page.goto(reverse("trust:client", args=[client.pk]))
    page.locator("#act-revoke").press("Enter")
    expect(page.locator("#dialog-title")).to_be_focused()
    page.get_by_label("To confirm, type dsk-00").fill("dsk-01")
    page.get_by_role("button", name="Revoke client").click()
    expect(page.get_by_label("Reason, for the activity log")).to_be_focused()
    page.get_by_label("Reason, for the activity log").fill("Lost on the train.")
    page.get_by_label("To confirm, type dsk-00").fill("dsk-00")
    page.get_by_role("button", name="Revoke client").click()
    expect(page.get_by_text("This client is revoked.")).to_be_visible()
    client.refresh_from_db()
    assert client.revoked_at
    assert client.revoked_at <= clock.now()


def test_a_decision_after_a_restore(page: Page, server: Server) -> None:
    """What clients that a restore forgot may do: offered, taken by the typed name, shown, ended."""
    details = {
        "made": clock.now().isoformat(),
        "forgotten": ["Revoked after the backup, and valid again: pc7.example."],
    }
    with transaction.atomic():
        log.append(KeyAction.BACKUP_RESTORED, server.subject, actor=Actor.system("restore"), details=details)
    dialog = page.locator("dialog[open]")
    with judging.silent(page):
        page.reload()
        judging.everything(page, "restored")
        page.get_by_role("link", name="Accept forgotten certificates").click()
        expect(dialog).to_contain_text("pc7.example")
        judging.everything(page, "readmission-begin")
        dialog.get_by_label(f"To confirm, type {server.fqdn}").fill(server.fqdn)
        dialog.get_by_role("button", name="Accept for 7 days").click()
        expect(page.locator("main")).to_contain_text("0 clients came back by it.")
        judging.everything(page, "readmission-standing")
        page.get_by_role("link", name="Stop accepting").click()
        expect(dialog).to_contain_text("waits again until you allow its key")
        judging.everything(page, "readmission-withdraw")
        dialog.get_by_role("button", name="Stop accepting").click()
        expect(page.get_by_role("link", name="Accept forgotten certificates")).to_be_visible()
