"""Making, renaming, deactivating and reactivating users."""

import pytest
from django.test import Client

from console.accounts import users
from console.accounts.actions import Action
from console.accounts.models import User
from console.activity.models import Entry, Outcome
from console.lib.errors import ConflictError, InvalidError, RefusedError
from console.lib.secret import Secret

GOOD = Secret("three-green-bicycles")


def test_a_new_user_has_no_role_and_must_change_the_password(admin: User) -> None:
    user = users.create("dora", GOOD, display_name="Dora Weiss", actor=admin.actor)
    assert user.must_change_password
    assert user.password_expires_at is not None
    assert not user.memberships.exists()
    assert user.password.startswith("argon2$")


def test_no_entry_holds_the_password(admin: User) -> None:
    users.create("dora", GOOD, actor=admin.actor)
    assert not Entry.objects.filter(details__contains=GOOD.reveal_text()).exists()


@pytest.mark.parametrize(
    ("name", "password", "field"),
    [
        ("alice", GOOD, "username"),
        ("ALICE", GOOD, "username"),
        ("has space", GOOD, "username"),
        ("аlice", GOOD, "username"),  # noqa: RUF001 - a Cyrillic letter that looks like an a
        ("", GOOD, "username"),
        ("dora", Secret("short"), "password"),
        ("dora", Secret("password1234"), "password"),
        ("dorothea.weiss", Secret("dorothea.weiss"), "password"),
    ],
)
def test_bad_names_and_passwords_are_refused(admin: User, name: str, password: Secret, field: str) -> None:
    before = User.objects.count()
    with pytest.raises(InvalidError) as refusal:
        users.create(name, password, actor=admin.actor)
    assert refusal.value.field == field
    assert User.objects.count() == before


def test_renaming_keeps_the_user_name(admin: User, plain_user: User) -> None:
    users.rename(plain_user, display_name="Norman Bell", email="n@example.com", actor=admin.actor)
    plain_user.refresh_from_db()
    assert (plain_user.username, plain_user.name, plain_user.email) == ("norman", "Norman Bell", "n@example.com")


def test_deactivating_ends_sessions(admin: User, plain_user: User, user_client: Client) -> None:
    users.deactivate(plain_user, actor=admin.actor)
    assert user_client.get("/users/me/").status_code == 302
    entry = Entry.objects.get(action=Action.USER_DEACTIVATED)
    assert entry.subject_label == "norman"


def test_nobody_deactivates_themselves(admin: User) -> None:
    with pytest.raises(RefusedError):
        users.deactivate(admin, actor=admin.actor)
    assert Entry.objects.get(action=Action.USER_DEACTIVATED).outcome == Outcome.REFUSED


def test_the_last_administrator_stays_active(admin: User, auditor: User) -> None:  # ROL-03
    with pytest.raises(RefusedError):
        users.deactivate(admin, actor=auditor.actor)
    admin.refresh_from_db()
    assert admin.is_active


def test_deactivating_and_reactivating_twice_are_conflicts(admin: User, plain_user: User) -> None:
    with pytest.raises(ConflictError):
        users.reactivate(plain_user, actor=admin.actor)
    users.deactivate(plain_user, actor=admin.actor)
    with pytest.raises(ConflictError):
        users.deactivate(plain_user, actor=admin.actor)
    users.reactivate(plain_user, actor=admin.actor)
    plain_user.refresh_from_db()
    assert plain_user.is_active
