"""Users: made, renamed, deactivated, reactivated. None is ever deleted: the log keeps naming them."""

from django.core.exceptions import NON_FIELD_ERRORS, ValidationError
from django.db import transaction

from console.accounts import passwords, roles, sessions
from console.accounts.actions import Action
from console.accounts.models import User
from console.accounts.subjects import user_subject
from console.activity import log
from console.lib.actor import Actor
from console.lib.errors import ConflictError, InvalidError, RefusedError
from console.lib.secret import Secret


@transaction.atomic
def create(username: str, password: Secret, *, display_name: str = "", email: str = "", actor: Actor) -> User:
    """Make a user without a role; the password opens for 24 hours and must be changed at the first sign-in.

    Raises InvalidError for a name that is taken or malformed and for a weak password.
    """
    user = User(username=username, display_name=display_name, email=email)
    passwords.set_first(user, password)
    try:
        user.full_clean()
    except ValidationError as error:
        field, messages = next(iter(error.message_dict.items()))
        # The rule that letter case makes no difference belongs to no field; it is about the user name.
        raise InvalidError(" ".join(messages), field="username" if field == NON_FIELD_ERRORS else field) from error
    user.save(force_insert=True)
    log.append(Action.USER_CREATED, user_subject(user), actor=actor, details={"name": display_name})
    return user


@transaction.atomic
def rename(user: User, *, display_name: str, email: str, actor: Actor) -> None:
    """Change the name and the email that pages show; the user name is for ever."""
    before = {"name": user.display_name, "email": user.email}
    user.display_name, user.email = display_name, email
    user.save(update_fields=["display_name", "email"])
    after = {"name": display_name, "email": email}
    log.append(Action.USER_CHANGED, user_subject(user), actor=actor, details={"before": before, "after": after})


def deactivate(user: User, *, actor: Actor) -> None:
    """Keep a user out: no sign-in, all sessions end; roles stay for a later return.

    Raises RefusedError for oneself and for the last active Administrator, ConflictError when it is done already.
    """
    try:
        _deactivate(user, actor)
    except RefusedError as error:
        log.refuse(Action.USER_DEACTIVATED, user_subject(user), actor=actor, details={"reason": error.message})
        raise


@transaction.atomic
def _deactivate(user: User, actor: Actor) -> None:
    roles.lock_administrators()
    if actor.id == str(user.pk):
        raise RefusedError(
            "You cannot deactivate yourself. Nothing was changed.",
            next_step="Another Administrator can do it.",
        )
    if not User.objects.filter(pk=user.pk, is_active=True).update(is_active=False):
        raise ConflictError(f"{user.username} is not active already. Nothing was changed.")
    roles.require_an_administrator()
    details = {"sessions_ended": sessions.end_all(user)}
    log.append(Action.USER_DEACTIVATED, user_subject(user), actor=actor, details=details)


@transaction.atomic
def reactivate(user: User, *, actor: Actor) -> None:
    """Let a user sign in again, with the roles held before; raises ConflictError when the user is active."""
    if not User.objects.filter(pk=user.pk, is_active=False).update(is_active=True):
        raise ConflictError(f"{user.username} is active already. Nothing was changed.")
    log.append(Action.USER_REACTIVATED, user_subject(user), actor=actor)
