"""Sign-in, second factors, users and one's own account in Chromium; a security key by its virtual authenticator."""

import re
import time
from collections.abc import Callable
from urllib.parse import urlsplit

import pytest
from allauth.account.internal.flows.login import AUTHENTICATION_METHODS_SESSION_KEY
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal import auth as totp
from django.contrib.sessions.backends.db import SessionStore
from django.contrib.sessions.models import Session
from playwright.sync_api import Page, expect

from console.accounts import passwords
from console.accounts.actions import Action
from console.accounts.models import User
from console.activity.models import Entry
from console.lib.secret import Secret
from tests.browser.judging import axe, no_sideways_scroll, one_heading, shots, silent
from tests.fixtures.users import ACTOR, PASSWORD

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.one_database, pytest.mark.usefixtures("server")]

OpenPage = Callable[..., Page]


def sign_in(page: Page, name: str, password: str = PASSWORD) -> None:
    page.goto("/account/sign-in/?next=/users/me/")
    page.get_by_label("User name").fill(name)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Sign In", exact=True).click()


def path_of(page: Page) -> str:
    return urlsplit(page.url).path


@pytest.fixture
def plug_in_key() -> Callable[[Page], None]:
    """Give the page's browser a security key that always says yes."""

    def plug_in(page: Page) -> None:
        devtools = page.context.new_cdp_session(page)
        devtools.send("WebAuthn.enable")
        devtools.send(
            "WebAuthn.addVirtualAuthenticator",
            {
                "options": {
                    "protocol": "ctap2",
                    "transport": "usb",
                    "hasUserVerification": True,
                    "isUserVerified": True,
                    "automaticPresenceSimulation": True,
                }
            },
        )

    return plug_in


def judge(page: Page) -> None:
    axe(page)
    no_sideways_scroll(page)
    one_heading(page)


def test_a_dialog_asks_and_acts_in_place(open_page: OpenPage, admin: User, auditor: User) -> None:
    page = open_page(admin)
    with silent(page):
        page.goto(f"/users/{auditor.pk}/")
        page.get_by_role("link", name="Reset Password").click()
        dialog = page.get_by_role("dialog")
        expect(dialog.get_by_role("heading")).to_be_focused()
        axe(page)
        dialog.get_by_label("First password", exact=True).fill("one")
        dialog.get_by_label("First password, again").fill("two")
        dialog.get_by_role("button", name="Reset Password").click()
        expect(dialog.get_by_text("The two passwords differ.")).to_be_visible()
        axe(page)
        page.keyboard.press("Escape")
        expect(page.get_by_role("link", name="Reset Password")).to_be_focused()
        page.get_by_role("link", name="Deactivate").click()
        page.get_by_role("dialog").get_by_role("button", name="Deactivate User").click()
        expect(page.get_by_text("olga was deactivated.")).to_be_visible()
    auditor.refresh_from_db()
    assert not auditor.is_active


def test_all_works_without_script(open_page: OpenPage, admin: User, auditor: User) -> None:
    page = open_page(script=False)
    sign_in(page, "alice")
    assert path_of(page) == "/users/me/"
    page.goto(f"/users/{auditor.pk}/")
    page.get_by_role("link", name="Deactivate").click()
    page.get_by_role("button", name="Deactivate User").click()
    expect(page.get_by_text("olga was deactivated.")).to_be_visible()


def test_the_first_password_is_changed_before_anything_else(open_page: OpenPage, plain_user: User) -> None:
    passwords.reset(plain_user, Secret("nine-purple-tortoises"), actor=ACTOR)
    page = open_page()
    with silent(page):
        sign_in(page, "norman", "nine-purple-tortoises")
        expect(page.get_by_role("heading", name="Choose your own password")).to_be_visible()
        judge(page)
        page.get_by_label("Current password").fill("nine-purple-tortoises")
        page.get_by_label("New password", exact=True).fill("two-silver-accordions")
        page.get_by_label("New password, again").fill("two-silver-accordions")
        page.get_by_role("button", name="Change Password").click()
        expect(page.get_by_role("heading", name="Your profile")).to_be_visible()


def test_an_app_and_recovery_codes(open_page: OpenPage, plain_user: User) -> None:
    page = open_page()
    with silent(page):
        sign_in(page, "norman")
        page.goto("/account/second-factor/app/add/")
        key = page.locator("code.mono").inner_text()
        page.get_by_label(re.compile("Type the six digits")).fill(digits(key))
        page.get_by_role("button", name="Set Up").click()
        expect(page.get_by_text("they are not shown again")).to_be_visible()
        judge(page)
        shots(page, "recovery-codes")
        recovery = page.locator("ol.codes li").first.inner_text()
        page.get_by_role("link", name="I have kept them").click()
        judge(page)
    other = open_page()
    with silent(other):
        sign_in(other, "norman")
        judge(other)
        shots(other, "second-factor")
        other.get_by_label("Code").fill(recovery)
        other.get_by_role("button", name="Sign In", exact=True).click()
        expect(other.get_by_role("heading", name="Your profile")).to_be_visible()


def digits(key: str) -> str:
    return str(totp.format_hotp_value(totp.hotp_value(key, int(time.time()) // 30)))


def test_a_security_key(open_page: OpenPage, plain_user: User, plug_in_key: Callable[[Page], None]) -> None:
    page = open_page()
    plug_in_key(page)
    with silent(page):
        sign_in(page, "norman")
        page.goto("/account/second-factor/keys/add/")
        page.get_by_label("Name").fill("Blue key")
        page.get_by_role("button", name="Add Key").click()
        expect(page.get_by_text("they are not shown again")).to_be_visible()
        page.goto("/account/second-factor/keys/")
        expect(page.get_by_text("Blue key")).to_be_visible()
        judge(page)
        page.context.clear_cookies()
        sign_in(page, "norman")
        page.get_by_role("button", name="Use a security key").click()
        expect(page.get_by_role("heading", name="Your profile")).to_be_visible()
        page.goto("/account/confirm/security-key/?next=/account/sessions/")
        judge(page)
        page.get_by_role("button", name="Use Security Key").click()
        expect(page.get_by_role("heading", name="Your sessions")).to_be_visible()
        page.goto("/account/second-factor/keys/")
        page.get_by_role("link", name="Remove Blue key").click()
        page.get_by_role("button", name="Remove Key").click()
        expect(page.get_by_text("No security keys yet")).to_be_visible()
    assert not Authenticator.objects.exists()
    entry = Entry.objects.filter(action=Action.SIGNED_IN).order_by("-seq")[0]
    assert '"factors":["Password","Security key"]' in entry.details


def age_the_proof() -> None:
    """Put the one session's proof of who it is an hour back."""
    row = Session.objects.get()
    session = SessionStore(row.session_key)
    session[AUTHENTICATION_METHODS_SESSION_KEY] = [{"method": "password", "at": time.time() - 3600}]
    session.save()


def test_confirming_leads_back_to_what_was_wanted(open_page: OpenPage, admin: User, auditor: User) -> None:
    page = open_page(admin)
    age_the_proof()
    page.goto(f"/users/{auditor.pk}/")
    page.get_by_role("link", name="Deactivate").click()
    page.wait_for_url("**/account/confirm/**")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Confirm").click()
    expect(page.get_by_role("heading", name="Deactivate olga?")).to_be_visible()
    page.get_by_role("button", name="Deactivate User").click()
    expect(page.get_by_text("olga was deactivated.")).to_be_visible()
