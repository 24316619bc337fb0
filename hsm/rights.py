"""What a user may see and do in a group. Views declare SIGNED_IN and ask here (ROL-09)."""

import uuid
from enum import StrEnum

from django.conf import settings
from django.db.models import QuerySet

from console.accounts.models import User
from console.lib.capability import Capability
from console.lib.errors import NotFoundError, RightMissingError
from hsm.models.groups import Connection, Group, GroupRole
from hsm.models.objects import SecurityObject


class Right(StrEnum):
    """USE is cryptography with a group's keys; MANAGE is everything else that changes something."""

    SEE = "see"
    USE = "use the keys of"
    MANAGE = "manage"


GRANTS = {
    GroupRole.AUDITOR: frozenset({Right.SEE}),
    GroupRole.MEMBER: frozenset({Right.SEE, Right.USE}),
    GroupRole.ADMINISTRATOR: frozenset(Right),
}


def rights(user: User, group: Group) -> frozenset[Right]:
    """Return what the user may do in a group: by the console's roles, or by membership; deactivated, nothing."""
    if not user.is_active:
        return frozenset()
    if user.may(Capability.MANAGE_HSM):
        return frozenset(Right)
    granted: set[Right] = {Right.SEE} if user.may(Capability.READ) else set()
    for role in group.members.filter(user=user).values_list("role", flat=True):
        granted |= GRANTS[GroupRole(role)]
    return frozenset(granted)


def visible_groups(user: User) -> QuerySet[Group]:
    """Return the groups of this server that the user may see."""
    groups = Group.objects.filter(server__fqdn=settings.SERVER_NAME, deleted_at__isnull=True)
    if user.may(Capability.READ):
        return groups
    if not user.is_active:
        return groups.none()
    # A user has one role in a group (`one_role_in_a_group`), so no group comes twice.
    return groups.filter(members__user=user)


def sees_a_group(user: User) -> bool:
    """Return whether there is a group that the user may see."""
    return visible_groups(user).exists()


def visible_objects(user: User) -> QuerySet[SecurityObject]:
    """Return the security objects of the groups that the user may see."""
    return SecurityObject.objects.filter(group__in=visible_groups(user))


def group_for(user: User, group_id: uuid.UUID, right: Right) -> Group:
    """Return a group.

    Raises NotFoundError for one that the user may not see, RightMissingError where the right is missing.
    """
    group = visible_groups(user).filter(pk=group_id).first()
    if group is None:
        raise NotFoundError("There is no such group, or you are not a member of it.")
    require(user, group, right)
    return group


def object_for(user: User, object_id: uuid.UUID, right: Right) -> SecurityObject:
    """Return a security object with its group.

    Raises NotFoundError for one of a group that the user may not see, RightMissingError where the right is missing.
    """
    found = visible_objects(user).select_related("group").filter(pk=object_id).first()
    if found is None:
        raise NotFoundError("There is no such security object, or you are not a member of its group.")
    require(user, found.group, right)
    return found


def sees_group(user: User, group_id: str) -> bool:
    """Return whether the user may see the group of this id (for `console.jobs.seeing`)."""
    return visible_groups(user).filter(pk=group_id).exists()


def sees_connection(user: User, connection_id: str) -> bool:
    """Return whether the user may see the group of this connection."""
    return Connection.objects.filter(pk=connection_id, group__in=visible_groups(user)).exists()


def sees_object(user: User, object_id: str) -> bool:
    """Return whether the user may see the group of this security object."""
    return visible_objects(user).filter(pk=object_id).exists()


def require(user: User, group: Group, right: Right) -> None:
    """Raise RightMissingError unless the user has the right."""
    if right not in rights(user, group):
        raise RightMissingError(
            f"Your role in “{group.title}” does not let you {right} this group. Nothing was changed.",
            needed=f"{right} the group {group.title}",
            next_step="An HSM administrator of the group can change your role.",
        )
