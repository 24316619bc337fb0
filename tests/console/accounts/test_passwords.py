"""Setting passwords."""

from collections.abc import Callable

import pytest
from django.test import Client

from console.accounts import passwords
from console.accounts.models import User
from console.activity.models import Entry
from console.lib.errors import InvalidError, RefusedError
from console.lib.secret import Secret

NEW = Secret("five-yellow-umbrellas")


def test_a_reset_ends_all_sessions_and_must_be_changed(admin: User, plain_user: User, user_client: Client) -> None:
    passwords.reset(plain_user, NEW, actor=admin.actor)
    plain_user.refresh_from_db()
    assert plain_user.check_password(NEW.reveal_text())
    assert plain_user.must_change_password
    assert user_client.get("/users/me/").status_code == 302


def test_a_reset_to_a_weak_password_changes_nothing(admin: User, plain_user: User) -> None:
    before = plain_user.password
    with pytest.raises(InvalidError):
        passwords.reset(plain_user, Secret("too short"), actor=admin.actor)
    plain_user.refresh_from_db()
    assert plain_user.password == before


def test_a_first_password_is_spent_once(admin: User, plain_user: User) -> None:
    passwords.reset(plain_user, NEW, actor=admin.actor)
    passwords.spend_first(plain_user)
    with pytest.raises(RefusedError):
        passwords.spend_first(plain_user)


def test_ones_own_password_has_nothing_to_spend(plain_user: User) -> None:
    passwords.spend_first(plain_user)
    assert plain_user.password_expires_at is None


def test_changing_ones_own_keeps_this_session_only(plain_user: User, as_user: Callable[..., Client]) -> None:
    here, there = as_user(plain_user), as_user(plain_user)
    page = here.get("/account/password/")
    assert page.status_code == 200
    answer = here.post(
        "/account/password/",
        {
            "oldpassword": "correct-horse-battery-staple",
            "password1": NEW.reveal_text(),
            "password2": NEW.reveal_text(),
        },
    )
    assert answer.status_code == 302
    assert here.get("/users/me/").status_code == 200
    assert there.get("/users/me/").status_code == 302
    assert not Entry.objects.filter(details__contains=NEW.reveal_text()).exists()


@pytest.mark.parametrize(
    ("old", "first", "second", "said"),
    [
        ("wrong", NEW.reveal_text(), NEW.reveal_text(), "The current password is wrong."),
        ("correct-horse-battery-staple", "tiny-8", "tiny-8", "too short"),
        ("correct-horse-battery-staple", NEW.reveal_text(), "another-long-one", "same password"),
        ("correct-horse-battery-staple", *["correct-horse-battery-staple"] * 2, "The new password is the current one"),
    ],
)
def test_what_is_wrong_with_a_new_password_is_said(
    user_client: Client, old: str, first: str, second: str, said: str
) -> None:
    answer = user_client.post("/account/password/", {"oldpassword": old, "password1": first, "password2": second})
    assert said in answer.content.decode()
    assert first not in answer.content.decode()
