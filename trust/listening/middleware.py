"""The one middleware of the listeners: what a view raises and does not answer itself becomes a short text.

Every answer says its length.
"""

import logging
from collections.abc import Callable
from http import HTTPStatus

from django.db import Error as DatabaseError
from django.http import HttpRequest, HttpResponse, HttpResponseBase

from console.lib.errors import ConsoleError
from trust.listening import answers

logger = logging.getLogger(__name__)


class AnswersMiddleware:
    """Turns errors of the domain, and a database that is away, into answers."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        if isinstance(response, HttpResponse):
            # Without it gunicorn would cut the answer into chunks.
            response.headers.setdefault("Content-Length", str(len(response.content)))
        return response

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        """Answer what is known; anything else is Django's 500."""
        if isinstance(error, ConsoleError):
            return answers.refusal(error)
        if isinstance(error, DatabaseError):
            logger.error("%s: the database failed: %s", request.path, error)
            return answers.text(
                HTTPStatus.SERVICE_UNAVAILABLE, "The server cannot reach its database. Try again later."
            )
        return None
