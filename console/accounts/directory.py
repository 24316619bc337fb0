"""Users as a page lists them: roles and second factors are read once for the whole page."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from allauth.mfa.models import Authenticator

from console.accounts import factors
from console.accounts.models import Membership, Role, User


@dataclass(frozen=True)
class UserRow:
    """One line of the list."""

    user: User
    roles: list[str]
    factor: factors.FactorSummary
    is_you: bool


@dataclass(frozen=True)
class RoleCard:
    """A role and whether a user holds it; `membership` says who granted it and when."""

    role: Role
    membership: Membership | None
    members: int = 0


def rows(users: Iterable[User], *, you: User) -> list[UserRow]:
    """Return the lines for these users."""
    users = list(users)
    roles, kinds = defaultdict(list), defaultdict(list)
    for user_id, name in Membership.objects.filter(user__in=users).values_list("user_id", "role__name"):
        roles[user_id].append(name)
    for user_id, kind in Authenticator.objects.filter(user__in=users).values_list("user_id", "type"):
        kinds[user_id].append(kind)
    return [UserRow(user, sorted(roles[user.pk]), factors.summary(kinds[user.pk]), user.pk == you.pk) for user in users]


def roles_of(user: User) -> list[RoleCard]:
    """Return every role, with how the user came to hold it."""
    held = {membership.role_id: membership for membership in user.memberships.all()}
    return [RoleCard(role, held.get(role.key)) for role in Role.objects.all()]


def members_of(role: Role) -> list[User]:
    """Return who holds a role, by name."""
    return list(User.objects.filter(memberships__role=role).order_by("username"))


def is_last_administrator(user: User) -> bool:
    """Return whether the console would be left without an active Administrator; to be said before it is tried."""
    administrators = User.objects.administrators()
    return administrators.filter(pk=user.pk).exists() and administrators.exclude(pk=user.pk).count() == 0
