"""What every page shows around its content."""

from typing import Any

from django.conf import settings
from django.http import HttpRequest

from console import navigation
from console.lib import clock, themes


def shell(request: HttpRequest) -> dict[str, Any]:
    """Return the server's name, the time, the theme and the menu. No database, so error pages can use it."""
    user = getattr(request, "user", None)
    return {
        "server_name": settings.SERVER_NAME,
        "now": clock.now(),
        "theme": themes.theme_of(request),
        "nav": navigation.tree(request) if user is not None and user.is_authenticated else [],
    }
