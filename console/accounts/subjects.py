"""How the activity log names what this app changes."""

from console.accounts.models import User
from console.lib.subject import Subject


def user_subject(user: User) -> Subject:
    """Return the user as text."""
    return Subject("user", str(user.pk), user.username)
