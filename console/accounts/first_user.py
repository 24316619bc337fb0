"""The first Administrator, whom set-up makes."""

import secrets

from django.db import transaction

from console.accounts import roles, users
from console.accounts.grants import RoleKey
from console.accounts.models import Role, User
from console.lib.actor import Actor
from console.lib.errors import ConflictError
from console.lib.secret import Secret

# No characters that look alike: somebody types this from a terminal.
ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"
GROUPS, GROUP_LENGTH = 5, 4


@transaction.atomic
def create(username: str = "admin", *, actor: Actor) -> tuple[User, Secret]:
    """Make the first user, an Administrator, and return the password: it works once, for 24 hours.

    The password is for a terminal or a file of mode 0600 only. Raises ConflictError when there is a user already.
    """
    roles.lock_administrators()
    if User.objects.exists():
        raise ConflictError("There is a user already. Nothing was changed.")
    password = one_time_password()
    user = users.create(username, password, display_name="Administrator", actor=actor)
    roles.grant(Role.objects.get(key=RoleKey.ADMINISTRATOR), user, actor=actor)
    return user, password


def one_time_password() -> Secret:
    """Return 20 random characters in groups of four (99 bits)."""
    groups = ("".join(secrets.choice(ALPHABET) for _ in range(GROUP_LENGTH)) for _ in range(GROUPS))
    return Secret("-".join(groups))
