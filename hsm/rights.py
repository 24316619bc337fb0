"""What a user may see and do in a group. Views declare SIGNED_IN and ask here (ROL-09)."""

import uuid
from enum import StrEnum

from django.db.models import Q, QuerySet

from console.accounts.models import User
from console.lib.capability import Capability
from console.lib.errors import NotFoundError, RefusedError
from console.servers.current import current
from hsm.models.groups import Group, GroupRole


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
    """Return what the user may do in a group: by the console's roles, or by membership."""
    if user.may(Capability.MANAGE_HSM):
        return frozenset(Right)
    granted: set[Right] = {Right.SEE} if user.may(Capability.READ) else set()
    for role in group.members.filter(user=user).values_list("role", flat=True):
        granted |= GRANTS[GroupRole(role)]
    return frozenset(granted)


def visible_groups(user: User) -> QuerySet[Group]:
    """Return the groups of this server that the user may see."""
    groups = Group.objects.filter(server=current(), deleted_at__isnull=True)
    if user.may(Capability.READ):
        return groups
    return groups.filter(Q(members__user=user)).distinct()


def group_for(user: User, group_id: uuid.UUID, right: Right) -> Group:
    """Return a group.

    Raises NotFoundError for one that the user may not see, RefusedError where the right is missing.
    """
    group = visible_groups(user).filter(pk=group_id).first()
    if group is None:
        raise NotFoundError("There is no such group, or you are not a member of it.")
    require(user, group, right)
    return group


def require(user: User, group: Group, right: Right) -> None:
    """Raise RefusedError unless the user has the right."""
    if right not in rights(user, group):
        raise RefusedError(
            f"Your role in “{group.title}” does not let you {right} this group. Nothing was changed.",
            next_step="An HSM administrator of the group can change your role.",
        )
