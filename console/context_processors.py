"""What every page shows around its content."""

from typing import Any

from django.conf import settings
from django.http import HttpRequest

from console import navigation
from console.lib import clock

THEMES = ("system", "light", "dark")


def shell(request: HttpRequest) -> dict[str, Any]:
    """Return the server's name, the time, the theme and the menu. No database, so error pages can use it."""
    theme = request.COOKIES.get("theme", "system")
    user = getattr(request, "user", None)
    return {
        "server_name": settings.SERVER_NAME,
        "now": clock.now(),
        "theme": theme if theme in THEMES else "system",
        "nav": navigation.tree(request) if user is not None and user.is_authenticated else [],
    }
