"""Acts on users through their dialogs."""

from collections.abc import Callable

import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import TOTP
from django.test import Client

from console.accounts import sessions
from console.accounts.actions import Action
from console.accounts.grants import RoleKey
from console.accounts.models import User
from console.activity.models import Entry, Outcome

HTMX = {"HX-Request": "true"}
GOOD = "three-green-bicycles"
NEW = {"username": "dora", "display_name": "Dora Weiss", "email": "", "password1": GOOD, "password2": GOOD}


def test_creating_a_user(admin_client: Client) -> None:
    answer = admin_client.post("/users/new/", NEW)
    user = User.objects.get(username="dora")
    assert answer.headers["Location"] == f"/users/{user.pk}/"
    assert user.must_change_password
    assert GOOD not in admin_client.get(answer.headers["Location"]).content.decode()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"username": "ALICE"}, "A user of this name exists already."),
        ({"username": "a b"}, "Use letters, digits"),
        ({"password2": "something-else-here"}, "The two passwords differ."),
        ({"password1": "short", "password2": "short"}, "too short"),
        ({"password1": "dora weiss dora", "password2": "dora weiss dora"}, "too similar"),
    ],
)
def test_what_is_wrong_is_said_beside_the_field(admin_client: Client, changes: dict[str, str], said: str) -> None:
    answer = admin_client.post("/users/new/", NEW | changes)
    page = answer.content.decode()
    assert answer.status_code == 422
    assert said in page
    assert "<title>Error: " in page
    assert GOOD not in page
    assert not User.objects.filter(username="dora").exists()


def test_a_dialog_is_a_fragment_and_a_page(admin_client: Client, plain_user: User) -> None:
    url = f"/users/{plain_user.pk}/deactivate/"
    part, page = admin_client.get(url, headers=HTMX), admin_client.get(url)
    assert part.content.decode().lstrip().startswith("<dialog")
    assert "<html" in page.content.decode()


def test_a_dialog_sends_the_page_on_after_the_act(admin_client: Client, plain_user: User) -> None:
    answer = admin_client.post(f"/users/{plain_user.pk}/deactivate/", headers=HTMX)
    assert answer.headers["HX-Redirect"] == f"/users/{plain_user.pk}/"
    plain_user.refresh_from_db()
    assert not plain_user.is_active


def test_a_look_at_a_dialog_changes_nothing(admin_client: Client, plain_user: User) -> None:
    before = Entry.objects.count()
    acts = ("edit", "password", "second-factors/remove", "deactivate", "reactivate", "roles/auditor/grant")
    for act in (*acts, "roles/auditor/withdraw"):
        assert admin_client.get(f"/users/{plain_user.pk}/{act}/").status_code == 200
    assert Entry.objects.count() == before


def test_a_conflict_is_said_and_nothing_is_changed(admin_client: Client, plain_user: User) -> None:
    url = f"/users/{plain_user.pk}/deactivate/"
    admin_client.post(url)
    again = admin_client.post(url)
    assert again.status_code == 409
    assert Entry.objects.filter(action=Action.USER_DEACTIVATED).count() == 1


def test_editing(admin_client: Client, plain_user: User) -> None:
    admin_client.post(f"/users/{plain_user.pk}/edit/", {"display_name": "Norman Bell", "email": "bad"})
    plain_user.refresh_from_db()
    assert plain_user.display_name == ""
    admin_client.post(f"/users/{plain_user.pk}/edit/", {"display_name": "Norman Bell", "email": "n@example.com"})
    plain_user.refresh_from_db()
    assert plain_user.name == "Norman Bell"


def test_resetting_a_password_never_shows_it(admin_client: Client, plain_user: User) -> None:
    url = f"/users/{plain_user.pk}/password/"
    wrong = admin_client.post(url, {"password1": GOOD, "password2": "other"}, headers=HTMX)
    assert wrong.status_code == 422
    assert GOOD not in wrong.content.decode()
    admin_client.post(url, {"password1": GOOD, "password2": GOOD})
    plain_user.refresh_from_db()
    assert plain_user.check_password(GOOD)


def test_removing_second_factors(admin_client: Client, plain_user: User) -> None:
    TOTP.activate(plain_user, "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP")
    admin_client.post(f"/users/{plain_user.pk}/second-factors/remove/")
    assert not Authenticator.objects.exists()
    assert Entry.objects.get(action=Action.FACTOR_RESET).subject_label == "norman"


def test_granting_and_withdrawing(admin_client: Client, plain_user: User) -> None:
    admin_client.post(f"/users/{plain_user.pk}/roles/auditor/grant/")
    membership = plain_user.memberships.get()
    assert (membership.role_id, membership.granted_by) == (RoleKey.AUDITOR, "alice")
    admin_client.post(f"/users/{plain_user.pk}/roles/auditor/withdraw/")
    assert not plain_user.memberships.exists()


def test_the_last_administrator_cannot_be_taken_away(admin_client: Client, admin: User) -> None:  # ROL-03
    answer = admin_client.post(f"/users/{admin.pk}/roles/administrator/withdraw/")
    assert answer.status_code == 403
    assert "Give another active user the Administrator role first." in answer.content.decode()
    assert Entry.objects.get(action=Action.ROLE_WITHDRAWN).outcome == Outcome.REFUSED


def test_a_role_that_does_not_exist(admin_client: Client, plain_user: User) -> None:
    assert admin_client.post(f"/users/{plain_user.pk}/roles/superuser/grant/").status_code == 404


def test_a_withdrawn_role_is_gone_at_the_next_click(
    admin_client: Client, make_user: Callable[..., User], as_user: Callable[..., Client]
) -> None:
    other = make_user("ben", RoleKey.ADMINISTRATOR)
    client = as_user(other)
    assert client.get("/users/").status_code == 200
    admin_client.post(f"/users/{other.pk}/roles/administrator/withdraw/")
    assert client.get("/users/").status_code == 403


def test_ending_a_session_of_somebody(admin_client: Client, plain_user: User, client: Client) -> None:
    client.post("/account/sign-in/", {"login": "norman", "password": "correct-horse-battery-staple"})
    session = sessions.of(plain_user)[0]
    admin_client.post(f"/users/{plain_user.pk}/sessions/{session.pk}/end/")
    assert client.get("/users/me/").status_code == 302
    assert Entry.objects.get(action=Action.SESSION_ENDED).actor == "alice"
