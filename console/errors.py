"""The last resort: what a request gets when something that nobody turned into a ConsoleError went wrong."""

import sys
from http import HTTPStatus

from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string

# A locked database, or one that is gone: the request's transaction was rolled back.
PASSING = (OperationalError, InterfaceError)


def server_error(_request: HttpRequest) -> HttpResponse:
    """Answer without the database: 503 when it is the database that is away, else 500.

    Django calls this inside its `except` block and has logged the error before.
    """
    status = HTTPStatus.INTERNAL_SERVER_ERROR
    if isinstance(sys.exc_info()[1], PASSING):
        status = HTTPStatus.SERVICE_UNAVAILABLE
    return HttpResponse(render_to_string(f"{status.value}.html"), status=status)
