"""Answers of the listeners that belong to no request in particular: short texts for machines."""

from collections.abc import Callable
from http import HTTPStatus

from django.http import HttpRequest, HttpResponse

from console.lib.errors import (
    ConflictError,
    ConsoleError,
    InvalidError,
    NotFoundError,
    RefusedError,
    UnavailableError,
)
from trust.listening.gate import RETRY_AFTER_S

STATUS: tuple[tuple[type[ConsoleError], HTTPStatus], ...] = (
    (NotFoundError, HTTPStatus.NOT_FOUND),
    (ConflictError, HTTPStatus.CONFLICT),
    (RefusedError, HTTPStatus.FORBIDDEN),
    (InvalidError, HTTPStatus.BAD_REQUEST),
    (UnavailableError, HTTPStatus.SERVICE_UNAVAILABLE),
)


def text(status: HTTPStatus, message: str) -> HttpResponse:
    """Return a line of text that nobody caches; one that may pass says when to come again."""
    headers = {"Cache-Control": "no-store"}
    if status is HTTPStatus.SERVICE_UNAVAILABLE:
        headers["Retry-After"] = str(RETRY_AFTER_S)
    return HttpResponse(f"{message}\n", status=status, content_type="text/plain; charset=utf-8", headers=headers)


def refusal(error: ConsoleError) -> HttpResponse:
    """Return what the domain raised as an answer."""
    status = next((status for kind, status in STATUS if isinstance(error, kind)), HTTPStatus.INTERNAL_SERVER_ERROR)
    return text(status, error.message)


def live(_request: HttpRequest) -> HttpResponse:
    """Say that this process answers, whatever it stands on (as /health/live of the console)."""
    return text(HTTPStatus.OK, "live")


def _handler(status: HTTPStatus, message: str) -> Callable[..., HttpResponse]:
    def handler(_request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
        del exception
        return text(status, message)

    return handler


HANDLERS = (
    _handler(HTTPStatus.BAD_REQUEST, "The request cannot be understood."),
    _handler(HTTPStatus.FORBIDDEN, "That is not allowed."),
    _handler(HTTPStatus.NOT_FOUND, "There is nothing here."),
    _handler(HTTPStatus.INTERNAL_SERVER_ERROR, "The server failed. Its log says why."),
)
