"""The edge of the protocol's own requests: bounded JSON in, JSON out, every fault as a Refusal.

The format is docs/client-protocol.md. The listener has none of the console's middleware: what these views raise becomes
an answer here.
"""

import logging
from collections.abc import Callable
from functools import wraps
from http import HTTPStatus
from typing import TypeVar

import msgspec
from django.db import Error as DatabaseError
from django.http import HttpRequest, HttpResponse

from console.lib.errors import ConflictError, ConsoleError, InvalidError, NotFoundError, RefusedError, UnavailableError
from trust.clients import registration_refusals as refusals
from trust.clients.identity import IdentityError
from trust.clients.registration_errors import CLIENT_REVOKED, TooLargeError, TooManyError
from trust.wire import messages
from trust.wire.errors import WireError
from trust.wire.messages import Refusal

logger = logging.getLogger(__name__)

JSON = "application/json"
MOST_BYTES = 16 * 1024
RETRY_AFTER_S = 30
# The first that fits counts.
STATUS: tuple[tuple[type[ConsoleError], HTTPStatus], ...] = (
    (TooLargeError, HTTPStatus.REQUEST_ENTITY_TOO_LARGE),
    (TooManyError, HTTPStatus.TOO_MANY_REQUESTS),
    (NotFoundError, HTTPStatus.NOT_FOUND),
    (ConflictError, HTTPStatus.CONFLICT),
    (RefusedError, HTTPStatus.FORBIDDEN),
    (UnavailableError, HTTPStatus.SERVICE_UNAVAILABLE),
)
WAITING = frozenset({HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE})

Body = TypeVar("Body", bound=msgspec.Struct)
View = Callable[[HttpRequest], HttpResponse]


def own_request(method: str) -> Callable[[View], View]:
    """Answer one method only, and answer whatever the view raises with a Refusal."""

    def bind(view: View) -> View:
        @wraps(view)
        def answer(request: HttpRequest) -> HttpResponse:
            if request.method != method:
                response = refuse(HTTPStatus.METHOD_NOT_ALLOWED, "bad-method", f"Only {method} is answered here.")
                response.headers["Allow"] = method
                return response
            try:
                return view(request)
            except (ConsoleError, WireError) as error:
                return _refusal(request, error)
            except DatabaseError:
                logger.exception("%s", request.path)
                return refuse(HTTPStatus.SERVICE_UNAVAILABLE, "unavailable", "The server cannot store this now.")
            except Exception:
                logger.exception("%s", request.path)
                return refuse(HTTPStatus.INTERNAL_SERVER_ERROR, "failed", "The server failed. Its log says why.")

        return answer

    return bind


def body_of(request: HttpRequest, kind: type[Body]) -> Body:
    """Return the body; raises InvalidError, WireError, or TooLargeError before more than the limit is read."""
    if request.content_type != JSON:
        raise InvalidError(f"The body must be {JSON}.", code="bad-content-type")
    raw = request.read(MOST_BYTES + 1)
    if len(raw) > MOST_BYTES:
        raise TooLargeError(f"The body is longer than {MOST_BYTES:,} bytes.", code="too-large")
    body = messages.decode(raw, kind)
    request.META[refusals.CLIENT] = getattr(body, "name", "")
    return body


def answer(body: msgspec.Struct, status: HTTPStatus = HTTPStatus.OK) -> HttpResponse:
    """Return a body as JSON that nobody caches."""
    headers = {"Cache-Control": "no-store"}
    return HttpResponse(msgspec.json.encode(body), status=status, content_type=JSON, headers=headers)


def refuse(
    status: HTTPStatus, code: str, message: str, *, retry_after_s: int | None = None, counter: int | None = None
) -> HttpResponse:
    """Return a Refusal; one that may pass says when to come back, in the body and in Retry-After."""
    if retry_after_s is None and status in WAITING:
        retry_after_s = RETRY_AFTER_S
    response = answer(Refusal(code=code, message=message, retry_after_s=retry_after_s, counter=counter), status)
    if retry_after_s is not None:
        response.headers["Retry-After"] = str(retry_after_s)
    return response


def _refusal(request: HttpRequest, error: ConsoleError | WireError) -> HttpResponse:
    status = next((status for kind, status in STATUS if isinstance(error, kind)), HTTPStatus.BAD_REQUEST)
    code = error.code or "refused"
    if isinstance(error, IdentityError):
        # 401: this certificate does not count, ask for another one. A revoked client need not try.
        status, code = (HTTPStatus.FORBIDDEN, CLIENT_REVOKED) if code == "revoked" else (HTTPStatus.UNAUTHORIZED, code)
    refusals.write(request, code, error.message)
    return refuse(status, code, error.message, counter=getattr(error, "counter", None))
