"""What a request gets when something went wrong: the domain's errors as HTTP, and the last resort for all others."""

import sys
from http import HTTPStatus

from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.template.loader import render_to_string

from console.lib import htmx
from console.lib.camefrom import came_from
from console.lib.errors import (
    ConflictError,
    ConsoleError,
    InvalidError,
    NotFoundError,
    RefusedError,
    UnavailableError,
)

STATUS = {
    NotFoundError: HTTPStatus.NOT_FOUND,
    ConflictError: HTTPStatus.CONFLICT,
    RefusedError: HTTPStatus.FORBIDDEN,
    InvalidError: HTTPStatus.UNPROCESSABLE_ENTITY,
    UnavailableError: HTTPStatus.SERVICE_UNAVAILABLE,
}

TITLES = {
    HTTPStatus.NOT_FOUND: "Page not found",
    HTTPStatus.CONFLICT: "Not possible now",
    HTTPStatus.FORBIDDEN: "Refused",
    HTTPStatus.UNPROCESSABLE_ENTITY: "Not accepted",
    HTTPStatus.SERVICE_UNAVAILABLE: "Not available now",
}
# A locked database, or one that is gone: the request's transaction was rolled back.
PASSING = (OperationalError, InterfaceError)
NOWHERE = NotFoundError(
    "There is nothing at this address. It may have been removed, or the address is not complete.",
    next_step="Start from Home, or go back.",
)


def status_of(error: ConsoleError) -> HTTPStatus:
    """Return the HTTP status of a domain error."""
    return next((code for kind, code in STATUS.items() if isinstance(error, kind)), HTTPStatus.BAD_REQUEST)


def refusal(request: HttpRequest, status: HTTPStatus, error: ConsoleError) -> HttpResponse:
    """Answer with the error: a toast for a fragment request, else a page."""
    if htmx.wants_fragment(request):
        text = " ".join(filter(None, (error.message, error.next_step)))
        return htmx.toast(HttpResponse(status=status), "warn", text)
    back = came_from(request)
    context = {
        "status": status.value,
        "title": TITLES.get(status, "Not accepted"),
        "error": error,
        "back": "" if request.method == "GET" and back == request.get_full_path() else back,
    }
    return render(request, "errors/error.html", context, status=status)


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:  # noqa: ARG001 - Django's signature
    """Answer an address that leads nowhere, inside the shell for whoever is signed in."""
    return refusal(request, HTTPStatus.NOT_FOUND, NOWHERE)


def server_error(_request: HttpRequest) -> HttpResponse:
    """Answer without the database: 503 when it is the database that is away, else 500.

    Django calls this inside its `except` block and has logged the error before.
    """
    status = HTTPStatus.INTERNAL_SERVER_ERROR
    if isinstance(sys.exc_info()[1], PASSING):
        status = HTTPStatus.SERVICE_UNAVAILABLE
    return HttpResponse(render_to_string(f"{status.value}.html"), status=status)
