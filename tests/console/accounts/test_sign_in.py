"""Signing in and out, with and without a second factor; what the log keeps of it, and what slows guessing."""

import time
from datetime import timedelta
from urllib.parse import urlsplit

import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal import auth as totp
from django.contrib.sessions.models import Session
from django.core.cache import caches
from django.test import Client
from django.urls import NoReverseMatch, reverse
from pytest_django import DjangoCaptureOnCommitCallbacks, Settings

from console.accounts import passwords, users
from console.accounts.actions import Action
from console.accounts.models import User
from console.activity.models import Entry, Outcome
from console.lib import clock
from console.lib.secret import Secret
from tests.fixtures.users import ACTOR, PASSWORD

SIGN_IN = "/account/sign-in/"
WRONG = "not-the-password-at-all"
KEY = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"


def sign_in(client: Client, user: str, password: str = PASSWORD, *, then: str = "/users/me/") -> str:
    """Send the form; return where it leads, or "" when it is shown again."""
    answer = client.post(SIGN_IN, {"login": user, "password": password, "next": then})
    return urlsplit(answer.headers.get("Location", "")).path


def code() -> str:
    return str(totp.format_hotp_value(totp.hotp_value(KEY, int(time.time()) // 30)))


def actions() -> list[tuple[str, str]]:
    entries = Entry.objects.filter(action__startswith="accounts.session").order_by("seq")
    return list(entries.values_list("action", "outcome"))


def test_the_right_password_opens_and_is_logged(admin: User, client: Client) -> None:
    assert sign_in(client, "Alice") == "/users/me/"
    entry = Entry.objects.get(action=Action.SIGNED_IN)
    assert (entry.actor, entry.subject_id) == ("alice", str(admin.pk))
    assert '"address":"127.0.0.1"' in entry.details
    assert client.get("/users/me/").status_code == 200


def test_a_sign_in_makes_a_new_session_key(admin: User, client: Client) -> None:
    client.get(SIGN_IN)
    session = client.session
    session["before"] = "yes"
    session.save()
    client.cookies["sessionid"] = str(session.session_key)
    sign_in(client, "alice")
    assert client.session.session_key != session.session_key
    assert not Session.objects.filter(pk=session.session_key).exists()


def test_the_session_cookie_is_out_of_reach_of_scripts(admin: User, client: Client, settings: Settings) -> None:
    sign_in(client, "alice")
    cookie = client.cookies["sessionid"]
    assert cookie["httponly"]
    assert cookie["samesite"] == "Lax"
    assert bool(cookie["secure"]) is settings.HTTPS
    assert not cookie["max-age"]  # it ends with the browser


def test_a_wrong_password_is_logged_without_it(admin: User, client: Client) -> None:
    assert not sign_in(client, "alice", WRONG)
    entry = Entry.objects.get(action=Action.SIGN_IN_FAILED)
    assert (entry.outcome, entry.subject_label) == (Outcome.FAILED, "alice")
    assert WRONG not in entry.details


def test_an_unknown_name_is_not_written_down(admin: User, client: Client) -> None:
    assert not sign_in(client, WRONG, WRONG)  # people type passwords into the wrong field
    entry = Entry.objects.get(action=Action.SIGN_IN_FAILED)
    assert (entry.subject_id, entry.subject_label) == ("", "unknown user name")
    assert not Entry.objects.filter(details__contains=WRONG).exists()


def test_both_failures_look_the_same(admin: User, client: Client) -> None:
    pages = [client.post(SIGN_IN, {"login": name, "password": WRONG}).content.decode() for name in ("alice", "nobody")]
    assert all("The user name or the password is wrong." in page for page in pages)


def test_guessing_is_slowed_also_after_a_restart(admin: User, client: Client) -> None:
    for _ in range(5):
        sign_in(client, "alice", WRONG)
    caches.close_all()
    del caches["default"]  # what a new process has: the table, and nothing in memory
    fresh = Client(REMOTE_ADDR="192.0.2.7")
    answer = fresh.post(SIGN_IN, {"login": "alice", "password": PASSWORD})
    assert answer.status_code == 422
    assert "Too many failed attempts" in answer.content.decode()
    assert not Entry.objects.filter(action=Action.SIGNED_IN).exists()
    sign_in(fresh, "alice")
    refused = Entry.objects.filter(action=Action.SIGN_IN_FAILED, outcome=Outcome.REFUSED)
    assert [entry.subject_label for entry in refused] == ["alice"]


def test_one_address_cannot_try_many_names(admin: User, client: Client) -> None:
    for number in range(10):
        sign_in(client, f"name{number}", WRONG)
    assert "Too many failed attempts" in client.post(SIGN_IN, {"login": "x", "password": WRONG}).content.decode()


def test_a_deactivated_user_stays_out_and_it_is_logged(admin: User, plain_user: User, client: Client) -> None:
    users.deactivate(plain_user, actor=admin.actor)
    assert sign_in(client, "norman") == reverse("account_inactive")
    assert client.get("/users/me/").status_code == 302
    assert actions()[-1] == (Action.SIGN_IN_FAILED, Outcome.REFUSED)


def test_a_sign_in_sweeps_up_what_is_over(admin: User, client: Client) -> None:
    Session.objects.create(session_key="over", session_data="", expire_date=clock.now() - timedelta(days=1))
    sign_in(client, "alice")
    assert not Session.objects.filter(pk="over").exists()


def test_signing_out_ends_the_session(admin: User, client: Client) -> None:
    sign_in(client, "alice")
    key = client.session.session_key
    client.post("/account/sign-out/")
    assert not Session.objects.filter(pk=key).exists()
    assert actions()[-1] == (Action.SIGNED_OUT, Outcome.SUCCEEDED)


def test_a_link_cannot_sign_anybody_out(admin_client: Client) -> None:
    assert "Sign out?" in admin_client.get("/account/sign-out/").content.decode()
    assert admin_client.get("/users/me/").status_code == 200


def test_nobody_is_sent_to_another_site(admin: User, client: Client) -> None:
    assert sign_in(client, "alice", then="https://example.org/users/me/") == "/"


class TestFirstPassword:
    """One that somebody else chose: it opens once, for 24 hours."""

    FIRST = "nine-purple-tortoises"

    @pytest.fixture(autouse=True)
    def _reset(self, plain_user: User) -> None:
        passwords.reset(plain_user, Secret(self.FIRST), actor=ACTOR)

    def test_nothing_opens_before_it_is_changed(self, client: Client) -> None:
        sign_in(client, "norman", self.FIRST)
        assert client.get("/users/me/").headers["Location"] == "/account/password/"
        assert "Choose your own password" in client.get("/account/password/").content.decode()
        new = "two-silver-accordions"
        answer = client.post("/account/password/", {"oldpassword": self.FIRST, "password1": new, "password2": new})
        assert answer.headers["Location"] == "/users/me/"
        assert client.get("/users/me/").status_code == 200
        assert sign_in(Client(), "norman", new) == "/users/me/"

    def test_it_opens_once(self, client: Client) -> None:
        sign_in(client, "norman", self.FIRST)
        answer = Client().post(SIGN_IN, {"login": "norman", "password": self.FIRST})
        assert "was used already" in answer.content.decode()
        assert actions()[-1] == (Action.SIGN_IN_FAILED, Outcome.REFUSED)

    def test_it_ends_after_a_day(self, client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
        later = clock.now() + timedelta(hours=24, seconds=1)
        monkeypatch.setattr(clock, "now", lambda: later)
        assert not sign_in(client, "norman", self.FIRST)

    def test_the_end_is_told_only_to_who_knows_it(self, client: Client) -> None:
        sign_in(client, "norman", self.FIRST)
        answer = Client().post(SIGN_IN, {"login": "norman", "password": WRONG})
        assert "was used already" not in answer.content.decode()


class TestSecondFactor:
    """An authenticator app and recovery codes."""

    @pytest.fixture(autouse=True)
    def _app(self, plain_user: User) -> None:
        totp.TOTP.activate(plain_user, KEY)

    def test_the_password_alone_does_not_open(self, client: Client) -> None:
        assert sign_in(client, "norman") == "/account/sign-in/second-factor/"
        assert client.get("/users/me/").status_code == 302

    def test_the_code_opens_and_the_log_names_both_factors(self, client: Client) -> None:
        sign_in(client, "norman")
        answer = client.post("/account/sign-in/second-factor/", {"code": code()})
        assert answer.headers["Location"] == "/users/me/"
        assert '"factors":["Password","Authenticator app"]' in Entry.objects.get(action=Action.SIGNED_IN).details

    def test_a_security_key_is_offered_only_to_who_has_one(self, client: Client) -> None:
        sign_in(client, "norman")
        assert "Use a security key" not in client.get("/account/sign-in/second-factor/").content.decode()

    def test_a_code_opens_once(self, client: Client) -> None:
        spent = code()
        sign_in(client, "norman")
        client.post("/account/sign-in/second-factor/", {"code": spent})
        other = Client()
        sign_in(other, "norman")
        other.post("/account/sign-in/second-factor/", {"code": spent})
        assert other.get("/users/me/").status_code == 302

    def test_a_wrong_code_is_logged_and_guessing_is_slowed(self, client: Client) -> None:
        sign_in(client, "norman")
        wrong = f"{(int(code()) + 1) % 1_000_000:06}"
        pages = [client.post("/account/sign-in/second-factor/", {"code": wrong}) for _ in range(6)]
        assert "Too many failed attempts" in pages[-1].content.decode()
        assert actions()[0] == (Action.SIGN_IN_FAILED, Outcome.FAILED)

    def test_a_recovery_code_opens_once(self, plain_user: User) -> None:
        recovery = RecoveryCodes.activate(plain_user).generate_codes()[0]
        for expected in ("/users/me/", ""):
            browser = Client()
            sign_in(browser, "norman")
            answer = browser.post("/account/sign-in/second-factor/", {"code": recovery})
            assert urlsplit(answer.headers.get("Location", "")).path == expected

    def test_no_secret_lies_in_the_database_in_clear(self, plain_user: User) -> None:
        RecoveryCodes.activate(plain_user)
        stored = [str(data) for data in Authenticator.objects.values_list("data", flat=True)]
        assert len(stored) == 2
        assert not any(KEY in data for data in stored)


def test_an_app_is_set_up_and_recovery_codes_are_shown_once(
    admin_client: Client, django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
) -> None:
    admin_client.get("/account/second-factor/app/add/")
    key = admin_client.session["mfa.totp.secret"]
    digits = totp.format_hotp_value(totp.hotp_value(key, int(time.time()) // 30))
    with django_capture_on_commit_callbacks(execute=True):
        answer = admin_client.post("/account/second-factor/app/add/", {"code": digits})
    assert answer.headers["Location"] == "/account/second-factor/codes/"
    shown = admin_client.get("/account/second-factor/codes/")
    assert "not shown again" in shown.content.decode()
    codes = shown.context["unused_codes"]
    assert len(codes) == 10
    again = admin_client.get("/account/second-factor/codes/").content.decode()
    assert not any(digits in again for digits in codes)
    logged = list(Entry.objects.filter(action__startswith="accounts.factor").values_list("action", flat=True))
    assert sorted(logged) == sorted([Action.FACTOR_ADDED, Action.RECOVERY_CODES_MADE])


@pytest.mark.parametrize(
    "name",
    [
        "account_signup",
        "account_email",
        "account_reset_password",
        "account_confirm_email",
        "account_set_password",
        "account_request_login_code",
        "mfa_download_recovery_codes",
        "mfa_login_webauthn",
        "mfa_signup_webauthn",
        "socialaccount_connections",
    ],
)
def test_what_the_console_does_not_use_is_absent(name: str) -> None:
    with pytest.raises(NoReverseMatch):
        reverse(name)
