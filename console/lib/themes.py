"""The themes a user may choose; the choice is a cookie, so that the server renders it and nothing flashes."""

from django.http import HttpRequest

COOKIE = "theme"
THEMES = ("system", "light", "dark")


def theme_of(request: HttpRequest) -> str:
    """Return the chosen theme, `system` for anything else."""
    chosen = request.COOKIES.get(COOKIE)
    return chosen if chosen in THEMES else "system"
