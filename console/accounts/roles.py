"""Who holds which role. The Administrator role never runs out of active members (ROL-03)."""

from django.db import DEFAULT_DB_ALIAS, transaction

from console.accounts.actions import Action
from console.accounts.grants import ROLE_NAMES, RoleKey
from console.accounts.models import Membership, Role, User
from console.accounts.subjects import user_subject
from console.activity import log
from console.lib import clock
from console.lib.actor import Actor
from console.lib.errors import ConflictError, RefusedError


def ensure_reserved(*, using: str = DEFAULT_DB_ALIAS) -> None:
    """Make the rows of the reserved roles that are missing."""
    roles = [Role(key=key, name=name) for key, name in ROLE_NAMES.items()]
    Role.objects.using(using).bulk_create(roles, ignore_conflicts=True)


@transaction.atomic
def grant(role: Role, user: User, *, actor: Actor) -> Membership:
    """Give a user a role; raises ConflictError when the user holds it already."""
    membership, is_new = Membership.objects.get_or_create(
        user=user, role=role, defaults={"granted_by": actor.name, "granted_at": clock.now()}
    )
    if not is_new:
        raise ConflictError(f"{user.username} holds the role {role.name} already. Nothing was changed.")
    log.append(Action.ROLE_GRANTED, user_subject(user), actor=actor, details={"role": role.name})
    return membership


def withdraw(role: Role, user: User, *, actor: Actor) -> None:
    """Take a role from a user.

    Raises ConflictError when the user does not hold it, RefusedError when it would leave no active Administrator.
    """
    try:
        _withdraw(role, user, actor)
    except RefusedError as error:
        details = {"role": role.name, "reason": error.message}
        log.refuse(Action.ROLE_WITHDRAWN, user_subject(user), actor=actor, details=details)
        raise


@transaction.atomic
def _withdraw(role: Role, user: User, actor: Actor) -> None:
    lock_administrators()
    number, _ = Membership.objects.filter(user=user, role=role).delete()
    if not number:
        raise ConflictError(f"{user.username} does not hold the role {role.name}. Nothing was changed.")
    if role.key == RoleKey.ADMINISTRATOR:
        require_an_administrator()
    log.append(Action.ROLE_WITHDRAWN, user_subject(user), actor=actor, details={"role": role.name})


def lock_administrators() -> None:
    """Let one transaction at a time take an Administrator away: the others wait at this row.

    SQLite has no row locks; there every write transaction is immediate, which has the same effect.
    """
    Role.objects.select_for_update().get(key=RoleKey.ADMINISTRATOR)


def require_an_administrator() -> None:
    """Raise RefusedError when no active Administrator is left; call it after the change, under the lock."""
    if not User.objects.administrators().exists():
        raise RefusedError(
            "This would leave the console without an active Administrator. Nothing was changed.",
            next_step="Give another active user the Administrator role first.",
        )
