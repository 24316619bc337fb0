"""Recent sign-in: ten minutes, counted from the last proof."""

from collections.abc import Callable
from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
from django.test import Client

from console.accounts.actions import Action
from console.accounts.models import User
from console.activity.models import Entry, Outcome
from console.lib import clock
from tests.fixtures.users import PASSWORD


def asked_to_confirm(location: str) -> str:
    """Return where a confirmation leads back to."""
    parts = urlsplit(location)
    assert parts.path == "/account/confirm/"
    return parse_qs(parts.query)["next"][0]


def test_an_old_sign_in_is_confirmed_and_leads_back(
    admin: User, plain_user: User, as_user: Callable[..., Client]
) -> None:
    client, page = as_user(admin, recent=False), f"/users/{plain_user.pk}/deactivate/"
    back = asked_to_confirm(client.get(page).headers["Location"])
    assert back == page
    answer = client.post("/account/confirm/", {"password": PASSWORD, "next": back})
    assert answer.headers["Location"] == page
    assert client.get(page).status_code == 200
    assert Entry.objects.filter(action=Action.CONFIRMED, actor="alice").exists()


def test_a_dialog_sends_the_whole_page_to_confirm(
    admin: User, plain_user: User, as_user: Callable[..., Client]
) -> None:
    page = f"/users/{plain_user.pk}/deactivate/"
    answer = as_user(admin, recent=False).get(page, headers={"HX-Request": "true"})
    assert asked_to_confirm(answer.headers["HX-Redirect"]) == page


def test_what_was_sent_is_not_kept(admin: User, plain_user: User, as_user: Callable[..., Client]) -> None:
    client, secret = as_user(admin, recent=False), "six-orange-lanterns"
    page = f"/users/{plain_user.pk}/password/"
    answer = client.post(
        page, {"password1": secret, "password2": secret}, headers={"Referer": f"http://localhost{page}"}
    )
    assert asked_to_confirm(answer.headers["Location"]) == page
    assert secret not in str(dict(client.session))
    plain_user.refresh_from_db()
    assert not plain_user.check_password(secret)


def test_a_wrong_password_confirms_nothing(admin: User, as_user: Callable[..., Client]) -> None:
    client = as_user(admin, recent=False)
    answer = client.post("/account/confirm/", {"password": "wrong-wrong-wrong", "next": "/users/new/"})
    assert "The password is wrong." in answer.content.decode()
    assert client.get("/users/new/").status_code == 302
    entry = Entry.objects.get(action=Action.CONFIRMATION_FAILED)
    assert (entry.outcome, entry.actor) == (Outcome.FAILED, "alice")


@pytest.mark.parametrize(("later", "status"), [(599, 200), (600, 302), (-60, 302)])
def test_the_window_is_ten_minutes(
    admin_client: Client, monkeypatch: pytest.MonkeyPatch, later: int, status: int
) -> None:
    proof = admin_client.session["account_authentication_methods"][0]["at"]
    moment = clock.now().fromtimestamp(proof, tz=clock.now().tzinfo) + timedelta(seconds=later)
    monkeypatch.setattr(clock, "now", lambda: moment)
    assert admin_client.get("/users/new/").status_code == status


def test_pages_of_allauth_ask_too(admin: User, as_user: Callable[..., Client]) -> None:
    client = as_user(admin, recent=False)
    for page in ("/account/password/", "/account/second-factor/app/add/", "/account/second-factor/keys/add/"):
        assert asked_to_confirm(client.get(page).headers["Location"]) == page
