"""One's own account."""

import pytest
from django.test import Client

from console.accounts import sessions
from console.accounts.models import User

PASSWORD = "correct-horse-battery-staple"


@pytest.fixture
def two_browsers(plain_user: User) -> tuple[Client, Client]:
    browsers = Client(), Client(headers={"User-Agent": "Firefox/140.0 (X11; Linux)"})
    for browser in browsers:
        browser.post("/account/sign-in/", {"login": "norman", "password": PASSWORD})
    return browsers


def test_a_user_without_a_role_has_a_profile(user_client: Client, plain_user: User) -> None:
    user_client.post("/users/me/", {"display_name": "Norman", "email": ""})
    plain_user.refresh_from_db()
    assert plain_user.display_name == "Norman"
    assert user_client.post("/users/me/", {"email": "bad"}).status_code == 422


def test_security_leads_to_one_page(user_client: Client) -> None:
    assert user_client.get("/users/me/security/").headers["Location"] == "/account/second-factor/"


def test_the_list_names_this_session(two_browsers: tuple[Client, Client]) -> None:
    page = two_browsers[0].get("/account/sessions/").content.decode()
    assert page.count("This session") == 1
    assert "Firefox 140 on Linux" in page


def test_ending_another_session(two_browsers: tuple[Client, Client], plain_user: User) -> None:
    here, there = two_browsers
    other = next(row for row in sessions.of(plain_user) if row.session_key == there.session.session_key)
    here.post(f"/users/me/sessions/{other.pk}/end/")
    assert there.get("/users/me/").status_code == 302
    assert here.get("/users/me/").status_code == 200


def test_nobody_ends_a_session_of_somebody_else(admin_client: Client, two_browsers: tuple[Client, Client]) -> None:
    session = sessions.of(User.objects.get(username="norman"))[0]
    assert admin_client.post(f"/users/me/sessions/{session.pk}/end/").status_code == 404
    assert two_browsers[0].get("/users/me/").status_code == 200


def test_ending_all_others(two_browsers: tuple[Client, Client]) -> None:
    here, there = two_browsers
    here.post("/account/sessions/")
    assert there.get("/users/me/").status_code == 302
    assert here.get("/users/me/").status_code == 200
