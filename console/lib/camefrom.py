"""The page of this console that a request was sent from."""

from urllib.parse import urlsplit

from django.http import HttpRequest
from django.utils.http import url_has_allowed_host_and_scheme


def came_from(request: HttpRequest) -> str:
    """Return its path and query; empty where the browser does not say it, or names another site."""
    url = request.headers.get("HX-Current-URL") or request.headers.get("Referer") or ""
    if not url_has_allowed_host_and_scheme(url, {request.get_host()}):
        return ""
    parts = urlsplit(url)
    path = f"/{parts.path.lstrip('/')}"  # two of them would begin the name of another site
    return f"{path}?{parts.query}" if parts.query else path
