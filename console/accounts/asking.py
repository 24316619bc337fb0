"""Who asks: the signed-in user behind a request."""

from typing import cast

from django.http import HttpRequest

from console.accounts.models import User
from console.lib.actor import Actor


def user_of(request: HttpRequest) -> User:
    """Return who is signed in; the access middleware lets nobody else into a view that needs a capability."""
    return cast("User", request.user)


def actor_of(request: HttpRequest) -> Actor:
    """Return who does it, for the log."""
    return user_of(request).actor
