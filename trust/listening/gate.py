"""What every request to a listener passes first: room, and a body of known and bounded length."""

import io
from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import Any

from serving.arriving import BODY_BYTES
from trust.listening.worker import load

MOST_BYTES = BODY_BYTES
LONGEST_WAIT_S = 5.0
RETRY_AFTER_S = 30

Environ = dict[str, Any]
Refused = tuple[HTTPStatus, str]
Application = Callable[[Environ, Callable[..., Any]], Iterable[bytes]]


class Gate:
    """A WSGI application before another one."""

    def __init__(self, application: Application) -> None:
        self._application = application

    def __call__(self, environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Refuse the request, or pass it on with its body read."""
        refused = busy() or unfit(environ) or read_body(environ)
        if refused is None:
            return self._application(environ, start_response)
        status, text = refused
        # What is left of a body is not read; the next request on this connection would begin in its middle.
        load.close_after()
        headers = [("Content-Type", "text/plain; charset=utf-8"), ("Content-Length", str(len(text)))]
        if status is HTTPStatus.SERVICE_UNAVAILABLE:
            headers.append(("Retry-After", str(RETRY_AFTER_S)))
        start_response(f"{status.value} {status.phrase}", headers)
        return [text.encode()]


def busy() -> Refused | None:
    """Return the refusal of a process that stops, or that is so far behind that the client may have given up."""
    if load.is_stopping:
        return HTTPStatus.SERVICE_UNAVAILABLE, "This server is being stopped or restarted. Try again later.\n"
    if load.waited_s > LONGEST_WAIT_S:
        return HTTPStatus.SERVICE_UNAVAILABLE, "This server has more requests than it can answer. Try again later.\n"
    return None


def unfit(environ: Environ) -> Refused | None:
    """Return the refusal of a body without a length, or of one that is too long (RFC 9110 §15.5.12, §15.5.14)."""
    if "HTTP_TRANSFER_ENCODING" in environ:
        return HTTPStatus.LENGTH_REQUIRED, "Send the body with a Content-Length.\n"
    length = environ.get("CONTENT_LENGTH") or "0"
    if not length.isdecimal():
        return HTTPStatus.BAD_REQUEST, "Content-Length must be a whole number.\n"
    if int(length) > MOST_BYTES:
        return HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"The body must not be longer than {MOST_BYTES} bytes.\n"
    return None


def read_body(environ: Environ) -> Refused | None:
    """Read the whole body, which waits for nobody (`serving.arriving`); return the refusal of part of one."""
    length = int(environ.get("CONTENT_LENGTH") or "0")
    if not length:
        return None
    try:
        body = environ["wsgi.input"].read(length)
    except OSError:
        return HTTPStatus.REQUEST_TIMEOUT, "The body did not come in time.\n"
    if len(body) < length:
        return HTTPStatus.BAD_REQUEST, "The body is shorter than its Content-Length.\n"
    environ["wsgi.input"] = io.BytesIO(body)
    return None
