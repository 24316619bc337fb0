"""Who belongs to a group: added, given another role, removed; each with an entry in the log (ROL-09)."""

import uuid
from collections.abc import Callable

import pytest

from console.accounts.models import User
from console.activity.models import Entry
from console.lib import clock
from console.lib.actor import Actor
from console.lib.errors import ConflictError, InvalidError, NotFoundError
from console.servers.models import Server
from hsm import members, rights
from hsm.actions import Action
from hsm.models.groups import Group, GroupKind, GroupMember, GroupRole
from hsm.rights import Right

ALICE = Actor.system("tests")


@pytest.fixture
def group(server: Server) -> Group:
    return Group.objects.create(
        server=server, title="Luna production", kind=GroupKind.SOFTWARE, created_at=clock.now(), created_by="alice"
    )


def newest() -> Entry:
    return Entry.objects.latest("seq")


def test_a_member_is_added_by_name_whatever_the_case(group: Group, plain_user: User) -> None:
    member = members.add(group, plain_user.username.upper(), GroupRole.MEMBER, actor=ALICE)
    assert (member.user, member.role, member.added_by) == (plain_user, GroupRole.MEMBER, ALICE.name)
    assert members.of(group) == [member]
    assert rights.rights(plain_user, group) == {Right.SEE, Right.USE}
    entry = newest()
    assert (entry.action, entry.subject_id) == (Action.MEMBER_ADDED, str(group.pk))
    assert plain_user.username in entry.details
    assert "Member" in entry.details


def test_nobody_is_a_member_twice(group: Group, plain_user: User) -> None:
    members.add(group, plain_user.username, GroupRole.MEMBER, actor=ALICE)
    with pytest.raises(InvalidError, match="member already") as caught:
        members.add(group, plain_user.username, GroupRole.ADMINISTRATOR, actor=ALICE)
    assert caught.value.field == "username"
    assert [member.role for member in members.of(group)] == [GroupRole.MEMBER]
    assert Entry.objects.filter(action=Action.MEMBER_ADDED).count() == 1


def test_only_an_active_user_is_added(group: Group, plain_user: User) -> None:
    User.objects.filter(pk=plain_user.pk).update(is_active=False)
    for name in (plain_user.username, "nobody-of-this-name", ""):
        with pytest.raises(InvalidError, match="no active user"):
            members.add(group, name, GroupRole.MEMBER, actor=ALICE)
    assert members.of(group) == []


def test_a_role_is_changed_and_counts_at_once(group: Group, plain_user: User) -> None:
    member = members.add(group, plain_user.username, GroupRole.AUDITOR, actor=ALICE)
    members.change_role(member, GroupRole.ADMINISTRATOR, actor=ALICE)
    assert rights.rights(plain_user, group) == {*Right}
    entry = newest()
    assert entry.action == Action.MEMBER_CHANGED
    assert '"before":"Auditor"' in entry.details
    assert '"after":"HSM administrator"' in entry.details


def test_who_is_removed_sees_nothing_any_more(group: Group, plain_user: User, admin: User) -> None:
    member = members.add(group, plain_user.username, GroupRole.ADMINISTRATOR, actor=ALICE)
    members.remove(member, actor=ALICE)  # the last one may go: Administrators of the console always may
    assert rights.rights(plain_user, group) == frozenset()
    assert rights.rights(admin, group) == {*Right}
    assert newest().action == Action.MEMBER_REMOVED
    with pytest.raises(NotFoundError):
        members.find(group, plain_user.pk)


@pytest.mark.parametrize(
    "act", [members.remove, lambda member, actor: members.change_role(member, GroupRole.MEMBER, actor=actor)]
)
def test_two_at_once_do_not_overwrite_each_other(group: Group, plain_user: User, act: Callable[..., None]) -> None:
    member = members.add(group, plain_user.username, GroupRole.AUDITOR, actor=ALICE)
    GroupMember.objects.update(role=GroupRole.ADMINISTRATOR)  # somebody else, meanwhile
    with pytest.raises(ConflictError):
        act(member, actor=ALICE)
    assert GroupMember.objects.get().role == GroupRole.ADMINISTRATOR
    assert newest().action == Action.MEMBER_ADDED


def test_a_member_of_another_group_is_not_found(group: Group, plain_user: User) -> None:
    with pytest.raises(NotFoundError):
        members.find(group, plain_user.pk)
    with pytest.raises(NotFoundError):
        members.find(group, uuid.uuid4())
