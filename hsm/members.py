"""Who belongs to a group, and in which role. Administrators of the console need no membership, so none is the last."""

import uuid

from django.db import IntegrityError, transaction

from console.accounts.models import User
from console.activity import log
from console.lib import clock
from console.lib.actor import Actor
from console.lib.errors import ConflictError, InvalidError, NotFoundError
from hsm.actions import Action
from hsm.models.groups import Group, GroupMember, GroupRole


def of(group: Group) -> list[GroupMember]:
    """Return the members of a group, by user name."""
    return list(group.members.select_related("user").order_by("user__username"))


def find(group: Group, user_id: uuid.UUID) -> GroupMember:
    """Return the membership of a user; raises NotFoundError."""
    found = group.members.select_related("user").filter(user_id=user_id).first()
    if found is None:
        raise NotFoundError(f"This user is no member of “{group.title}”, or not any more.")
    return found


def add(group: Group, username: str, role: GroupRole, *, actor: Actor) -> GroupMember:
    """Make an active user a member; raises InvalidError for a name that is not one, or is a member already."""
    user = User.objects.filter(username__iexact=username, is_active=True).first()
    if user is None:
        raise InvalidError("There is no active user of this name. Nothing was changed.", field="username")
    try:
        with transaction.atomic():
            member = GroupMember.objects.create(
                group=group, user=user, role=role, added_at=clock.now(), added_by=actor.name
            )
            details = {"user": user.username, "user id": str(user.pk), "role": role.label}
            log.append(Action.MEMBER_ADDED, group.subject, actor=actor, details=details)
    except IntegrityError as error:
        raise InvalidError(f"{user.username} is a member already. Nothing was changed.", field="username") from error
    return member


@transaction.atomic
def change_role(member: GroupMember, role: GroupRole, *, actor: Actor) -> None:
    """Give a member another role; raises ConflictError when somebody else changed it meanwhile."""
    before = GroupRole(member.role)
    if not GroupMember.objects.filter(pk=member.pk, role=before).update(role=role):
        raise _changed(member)
    member.role = role
    details = {"user": member.user.username, "before": before.label, "after": role.label}
    log.append(Action.MEMBER_CHANGED, member.group.subject, actor=actor, details=details)


@transaction.atomic
def remove(member: GroupMember, *, actor: Actor) -> None:
    """End a membership; raises ConflictError when it has ended or changed meanwhile."""
    if not GroupMember.objects.filter(pk=member.pk, role=member.role).delete()[0]:
        raise _changed(member)
    details = {"user": member.user.username, "role": GroupRole(member.role).label}
    log.append(Action.MEMBER_REMOVED, member.group.subject, actor=actor, details=details)


def _changed(member: GroupMember) -> ConflictError:
    return ConflictError(
        f"The membership of {member.user.username} was changed meanwhile. Nothing was changed.",
        next_step="Look at the members of the group again.",
    )
