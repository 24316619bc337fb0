"""Granting and withdrawing roles."""

from uuid import UUID

from django.http import HttpRequest, HttpResponse

from console.accounts import roles
from console.accounts.asking import actor_of
from console.accounts.models import Role
from console.accounts.views.changes import page_of
from console.accounts.views.dialogs import Act, ask
from console.accounts.views.users import find
from console.lib.access import access
from console.lib.capability import Capability
from console.lib.errors import NotFoundError


@access(Capability.MANAGE_USERS, recent=True)
def grant(request: HttpRequest, user_id: UUID, key: str) -> HttpResponse:
    """Give a user a role."""
    user, role = find(user_id), find_role(key)
    act = Act(
        title=f"Grant {role.name} to {user.username}?",
        lead="It holds from the user's next click on.",
        verb="Grant Role",
        icon="user-shield",
        done=f"{user.username} has the role {role.name} now.",
        back=page_of(user),
        impact=(("The role", role.description),),
        crumb=user.username,
    )
    return ask(request, act, lambda: roles.grant(role, user, actor=actor_of(request)))


@access(Capability.MANAGE_USERS, recent=True)
def withdraw(request: HttpRequest, user_id: UUID, key: str) -> HttpResponse:
    """Take a role from a user."""
    user, role = find(user_id), find_role(key)
    act = Act(
        title=f"Withdraw {role.name} from {user.username}?",
        lead="It is gone from the user's next click on. Jobs that the user started go on.",
        verb="Withdraw Role",
        icon="user-off",
        done=f"{user.username} no longer has the role {role.name}.",
        back=page_of(user),
        kind="danger-solid",
        impact=(("The role", role.description),),
        crumb=user.username,
    )
    return ask(request, act, lambda: roles.withdraw(role, user, actor=actor_of(request)))


def find_role(key: str) -> Role:
    """Return a role; raises NotFoundError."""
    role = Role.objects.filter(key=key).first()
    if role is None:
        raise NotFoundError("There is no such role.")
    return role
