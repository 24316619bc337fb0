"""Setting passwords. Checking them is Django's and allauth's work (Argon2, validators)."""

from datetime import timedelta

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db import transaction

from console.accounts import sessions
from console.accounts.actions import Action
from console.accounts.models import User
from console.accounts.subjects import user_subject
from console.activity import log
from console.lib import clock
from console.lib.actor import Actor
from console.lib.errors import InvalidError, RefusedError
from console.lib.secret import Secret

FIRST_PASSWORD_LIFETIME = timedelta(hours=24)
EXPIRED = (
    "This first password was used already, or is older than 24 hours. An Administrator can set a new one; "
    "where none can sign in, `manage.py first_password` makes one on the console's host."
)


def set_first(user: User, password: Secret) -> None:
    """Put a password that somebody else chose on a user object, without saving it.

    It opens for 24 hours, and the user must change it at the next sign-in. Raises InvalidError for a weak one.
    """
    check(password, user)
    user.set_password(password.reveal_text())
    user.must_change_password = True
    user.password_expires_at = clock.now() + FIRST_PASSWORD_LIFETIME


def spend_first(user: User) -> None:
    """Let a first password open no second time; raises RefusedError when another sign-in was quicker."""
    if user.password_expires_at is None:
        return
    now = clock.now()
    if not User.objects.filter(pk=user.pk, password_expires_at__gt=now).update(password_expires_at=now):
        raise RefusedError(EXPIRED)


@transaction.atomic
def reset(user: User, password: Secret, *, actor: Actor) -> None:
    """Give a user a new first password and end all sessions of the user; raises InvalidError for a weak one."""
    set_first(user, password)
    user.save(update_fields=["password", "must_change_password", "password_expires_at"])
    ended = sessions.end_all(user)
    details = {"sessions_ended": ended, "expires": user.password_expires_at}
    log.append(Action.PASSWORD_RESET, user_subject(user), actor=actor, details=details)


@transaction.atomic
def change_own(user: User, password: Secret, *, keep_session: str) -> None:
    """Set the password that a user chose, and end the other sessions of the user.

    Does not check the old password, nor how good the new one is: the form has done both.
    """
    user.set_password(password.reveal_text())
    user.must_change_password = False
    user.password_expires_at = None
    user.save(update_fields=["password", "must_change_password", "password_expires_at"])
    ended = sessions.end_all(user, keep=keep_session)
    log.append(Action.PASSWORD_CHANGED, user_subject(user), actor=user.actor, details={"sessions_ended": ended})


def check(password: Secret, user: User) -> None:
    """Raise InvalidError when a password breaks the rules."""
    try:
        validate_password(password.reveal_text(), user)
    except ValidationError as error:
        raise InvalidError(" ".join(error.messages), field="password") from error
