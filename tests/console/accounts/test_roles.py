"""Granting and withdrawing roles; the last Administrator stays."""

import threading
from collections.abc import Callable

import pytest
from django.db import connections

from console.accounts import roles, users
from console.accounts.actions import Action
from console.accounts.grants import RoleKey
from console.accounts.models import Membership, Role, User
from console.activity.models import Entry, Outcome
from console.lib.errors import ConflictError, ConsoleError, RefusedError


def role(key: RoleKey) -> Role:
    return Role.objects.get(key=key)


def test_granting_says_who_and_when(admin: User, plain_user: User) -> None:
    membership = roles.grant(role(RoleKey.AUDITOR), plain_user, actor=admin.actor)
    entry = Entry.objects.first()
    assert membership.granted_by == admin.username
    assert entry is not None
    assert (entry.action, entry.actor, entry.subject_label) == (Action.ROLE_GRANTED, "alice", "norman")
    assert '"role":"Auditor"' in entry.details


def test_granting_twice_is_a_conflict(admin: User, auditor: User) -> None:
    with pytest.raises(ConflictError):
        roles.grant(role(RoleKey.AUDITOR), auditor, actor=admin.actor)


def test_withdrawing(admin: User, auditor: User) -> None:
    roles.withdraw(role(RoleKey.AUDITOR), auditor, actor=admin.actor)
    assert not auditor.memberships.exists()
    assert Entry.objects.filter(action=Action.ROLE_WITHDRAWN, outcome=Outcome.SUCCEEDED).count() == 1


def test_withdrawing_what_is_not_held_is_a_conflict(admin: User, plain_user: User) -> None:
    with pytest.raises(ConflictError):
        roles.withdraw(role(RoleKey.AUDITOR), plain_user, actor=admin.actor)


def test_the_last_administrator_keeps_the_role_and_the_refusal_is_logged(admin: User) -> None:  # ROL-03
    with pytest.raises(RefusedError, match="without an active Administrator"):
        roles.withdraw(role(RoleKey.ADMINISTRATOR), admin, actor=admin.actor)
    assert admin.memberships.count() == 1
    assert Entry.objects.filter(action=Action.ROLE_WITHDRAWN, outcome=Outcome.REFUSED).count() == 1


def test_a_deactivated_administrator_does_not_count(admin: User, make_user: Callable[..., User]) -> None:
    other = make_user("ben", RoleKey.ADMINISTRATOR)
    users.deactivate(other, actor=admin.actor)
    with pytest.raises(RefusedError):
        roles.withdraw(role(RoleKey.ADMINISTRATOR), admin, actor=admin.actor)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("ways", ["withdraw", "deactivate", "both"])
def test_of_two_at_once_one_is_refused(make_user: Callable[..., User], ways: str) -> None:  # ROL-03
    pair = [make_user("ben", RoleKey.ADMINISTRATOR), make_user("carla", RoleKey.ADMINISTRATOR)]
    start, outcomes = threading.Barrier(2), []

    def take_away(index: int) -> None:
        target, actor = pair[index], pair[1 - index].actor
        start.wait(10)
        try:
            if ways == "withdraw" or (ways == "both" and index):
                roles.withdraw(role(RoleKey.ADMINISTRATOR), target, actor=actor)
            else:
                users.deactivate(target, actor=actor)
            outcomes.append("done")
        except ConsoleError as error:
            outcomes.append(type(error).__name__)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=take_away, args=(index,)) for index in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sorted(outcomes) == ["RefusedError", "done"]
    assert User.objects.administrators().count() == 1


def test_reserved_roles_are_made_again_without_a_second_row(db: None) -> None:
    roles.ensure_reserved()
    assert Role.objects.count() == len(RoleKey)
    assert Membership.objects.count() == 0
