"""Every role and every right in a group (ROL-09), and what is not to be seen at all."""

import uuid
from collections.abc import Callable

import pytest

from console.accounts.grants import RoleKey
from console.accounts.models import User
from console.lib import clock
from console.lib.errors import NotFoundError, RightMissingError
from console.servers.models import Server
from hsm import rights
from hsm.models.groups import Connection, Group, GroupKind, GroupMember, GroupRole
from hsm.models.objects import Family, ObjectState, Origin, SecurityObject
from hsm.rights import Right

SEE, USE, MANAGE = Right.SEE, Right.USE, Right.MANAGE
EXPECTED = [
    # console role, role in the group, what follows
    (None, None, set()),
    (None, GroupRole.AUDITOR, {SEE}),
    (None, GroupRole.MEMBER, {SEE, USE}),
    (None, GroupRole.ADMINISTRATOR, {SEE, USE, MANAGE}),
    (RoleKey.AUDITOR, None, {SEE}),
    (RoleKey.AUDITOR, GroupRole.AUDITOR, {SEE}),
    (RoleKey.AUDITOR, GroupRole.MEMBER, {SEE, USE}),
    (RoleKey.AUDITOR, GroupRole.ADMINISTRATOR, {SEE, USE, MANAGE}),
    (RoleKey.ADMINISTRATOR, None, {SEE, USE, MANAGE}),
    (RoleKey.ADMINISTRATOR, GroupRole.AUDITOR, {SEE, USE, MANAGE}),
]


def make_group(server: Server, title: str) -> Group:
    return Group.objects.create(
        server=server, title=title, kind=GroupKind.SOFTWARE, created_at=clock.now(), created_by="alice"
    )


def join(user: User, group: Group, role: str) -> GroupMember:
    return GroupMember.objects.create(group=group, user=user, role=role, added_at=clock.now(), added_by="alice")


@pytest.fixture
def group(server: Server) -> Group:
    return make_group(server, "Luna production")


@pytest.mark.parametrize(("console_role", "group_role", "expected"), EXPECTED)
def test_every_role_and_every_right(
    group: Group,
    server: Server,
    make_user: Callable[..., User],
    console_role: RoleKey | None,
    group_role: GroupRole | None,
    expected: set[Right],
) -> None:
    user = make_user("ute", *filter(None, [console_role]))
    other = make_group(server, "Other")
    if group_role:
        join(user, group, group_role)
    assert rights.rights(user, group) == expected
    for right in Right:
        if right in expected:
            assert rights.group_for(user, group.pk, right) == group
        else:
            with pytest.raises(RightMissingError if SEE in expected else NotFoundError):
                rights.group_for(user, group.pk, right)
    assert set(rights.visible_groups(user)) == ({group, other} if console_role else {group} if expected else set())
    assert rights.sees_a_group(user) is bool(console_role or expected)
    assert rights.rights(user, other) == (
        {*Right} if console_role == RoleKey.ADMINISTRATOR else {SEE} if console_role else set()
    )


@pytest.mark.parametrize("role", [RoleKey.ADMINISTRATOR, RoleKey.AUDITOR, None])
def test_a_deactivated_user_has_no_right(group: Group, make_user: Callable[..., User], role: RoleKey | None) -> None:
    user = make_user("ute", *filter(None, [role]))
    join(user, group, GroupRole.ADMINISTRATOR)
    User.objects.filter(pk=user.pk).update(is_active=False)
    user = User.objects.get(pk=user.pk)
    assert rights.rights(user, group) == frozenset()
    assert not rights.sees_a_group(user)


def test_a_deleted_group_and_one_of_another_server_are_not_there(server: Server, admin: User) -> None:
    gone = make_group(server, "Gone")
    Group.objects.filter(pk=gone.pk).update(deleted_at=clock.now())
    peer = Server.objects.create(
        fqdn="ts2.example.com", sealing_public=server.sealing_public, created_at=server.created_at
    )
    elsewhere = make_group(peer, "Elsewhere")
    for group in (gone, elsewhere):
        with pytest.raises(NotFoundError):
            rights.group_for(admin, group.pk, SEE)
    with pytest.raises(NotFoundError):
        rights.group_for(admin, uuid.uuid4(), SEE)


def test_an_object_and_a_connection_follow_their_group(
    group: Group, server: Server, plain_user: User, auditor: User
) -> None:
    join(plain_user, group, GroupRole.MEMBER)
    hidden = make_group(server, "Hidden")
    for of in (group, hidden):
        SecurityObject.objects.create(
            group=of,
            name=f"key of {of.title}",
            family=Family.KEY_PAIR,
            spec="ec-p256",
            key_type="EC",
            key_id=uuid.uuid4().hex,
            origin=Origin.GENERATED,
            state=ObjectState.ACTIVE,
            created_at=clock.now(),
            created_by="alice",
        )
        Connection.objects.create(group=of, position=1, created_at=clock.now())
    mine, other = group.security_objects.get(), hidden.security_objects.get()
    assert list(rights.visible_objects(plain_user)) == [mine]
    assert set(rights.visible_objects(auditor)) == {mine, other}
    assert rights.object_for(plain_user, mine.pk, USE).group == group
    with pytest.raises(RightMissingError):
        rights.object_for(plain_user, mine.pk, MANAGE)
    with pytest.raises(NotFoundError):
        rights.object_for(plain_user, other.pk, SEE)
    for of, seen in ((group, True), (hidden, False)):
        assert rights.sees_group(plain_user, str(of.pk)) is seen
        assert rights.sees_object(plain_user, str(of.security_objects.get().pk)) is seen
        assert rights.sees_connection(plain_user, str(of.connections.get().pk)) is seen
