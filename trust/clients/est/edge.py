"""What is common to the views of EST: the method, the body's bounds, and every fault as an answer in plain text."""

import logging
from collections.abc import Callable
from functools import wraps
from http import HTTPStatus

from django.db import Error as DatabaseError
from django.http import HttpRequest, HttpResponse

from console import pkilog
from console.lib.errors import ConflictError, ConsoleError, NotFoundError, RefusedError, UnavailableError
from trust.clients.est import auth, wire
from trust.clients.registration_refusals import Gate
from trust.errors import TooManyGuessesError, UnidentifiedError, WaitsError
from trust.listening.peer import peer
from trust.wire.errors import WireError

logger = logging.getLogger(__name__)

COMPONENT = "trust.est"
TEXT = "text/plain; charset=utf-8"
RETRY_AFTER_S = 5
LOOK_AGAIN_S = 300
# The first that fits counts. RFC 7030 §4.2.3: 202 while a request waits for a person, 4xx for what is refused.
STATUS: tuple[tuple[type[Exception], HTTPStatus], ...] = (
    (WaitsError, HTTPStatus.ACCEPTED),
    (UnidentifiedError, HTTPStatus.UNAUTHORIZED),
    (TooManyGuessesError, HTTPStatus.TOO_MANY_REQUESTS),
    (NotFoundError, HTTPStatus.NOT_FOUND),
    (RefusedError, HTTPStatus.FORBIDDEN),
    (ConflictError, HTTPStatus.SERVICE_UNAVAILABLE),
    (UnavailableError, HTTPStatus.SERVICE_UNAVAILABLE),
)
WAITS_S = {HTTPStatus.ACCEPTED: LOOK_AGAIN_S, HTTPStatus.SERVICE_UNAVAILABLE: RETRY_AFTER_S}

View = Callable[..., HttpResponse]
_gate = Gate()


def answers(method: str) -> Callable[[View], View]:
    """Answer one method only, and answer whatever the view raises: the reason in text, for people (RFC 7030 §4.2.3)."""

    def bind(view: View) -> View:
        @wraps(view)
        def answer(request: HttpRequest, *args: str) -> HttpResponse:
            response = attempt(request, *args)
            # strongSwan reads no answer without it.
            response.headers["Content-Length"] = str(len(response.content))
            return response

        def attempt(request: HttpRequest, *args: str) -> HttpResponse:
            if request.method != method:
                response = say(HTTPStatus.METHOD_NOT_ALLOWED, f"Only {method} is answered here.")
                response.headers["Allow"] = method
                return response
            try:
                return view(request, *args)
            except (ConsoleError, WireError) as error:
                return _refusal(request, error)
            except DatabaseError:
                logger.exception("%s", request.path)
                response = say(HTTPStatus.SERVICE_UNAVAILABLE, "The server cannot store anything now.")
                response.headers["Retry-After"] = str(RETRY_AFTER_S)
                return response
            except Exception:
                logger.exception("%s", request.path)
                return say(HTTPStatus.INTERNAL_SERVER_ERROR, "The server failed. Its log says why.")

        return answer

    return bind


def body_of(request: HttpRequest) -> bytes | HttpResponse:
    """Return the body of an enrolment, or the answer to one whose type or length is refused unread."""
    if request.content_type != wire.REQUEST_TYPE:
        return say(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, f"The body must be {wire.REQUEST_TYPE} (RFC 7030 §4.2.1).")
    length = request.META.get("CONTENT_LENGTH", "")
    if not length.isdecimal():
        return say(HTTPStatus.LENGTH_REQUIRED, "Send the length of the body.")
    if int(length) > wire.MOST_BYTES:
        return say(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"The body is longer than {wire.MOST_BYTES:,} bytes.")
    return request.read(wire.MOST_BYTES + 1)


def say(status: HTTPStatus, text: str) -> HttpResponse:
    """Return a reason in plain text that nobody caches."""
    return HttpResponse(f"{text}\n", status=status, content_type=TEXT, headers={"Cache-Control": "no-store"})


def _refusal(request: HttpRequest, error: ConsoleError | WireError) -> HttpResponse:
    status = next((status for kind, status in STATUS if isinstance(error, kind)), HTTPStatus.BAD_REQUEST)
    next_step = error.next_step if isinstance(error, ConsoleError) else ""
    response = say(status, f"{error.message} {next_step}".strip())
    if status is HTTPStatus.UNAUTHORIZED:
        response.headers["WWW-Authenticate"] = auth.REALM
    wait = error.retry_after_s if isinstance(error, TooManyGuessesError) else WAITS_S.get(status)
    if wait is not None:
        response.headers["Retry-After"] = str(wait)
    if getattr(error, "is_told", True):
        _write(peer(request).address, error.code or "refused", error.message)
    return response


def _write(address: str, code: str, message: str) -> None:
    """Write a refusal into the PKI log of TLS: each kind once in 15 minutes for an address, and never a flood."""
    may, left_out = _gate.passes((address, code))
    if left_out:
        _line("enrolments-refused", "clients", f"{left_out} more were refused in the minute before")
    if may:
        _line("enrolment-refused", f"a client at {address}", f"{code}: {message}")


def _line(event: str, subject: str, result: str) -> None:
    pkilog.write(
        event, component=COMPONENT, subject=subject, result=result, level=pkilog.Level.WARNING, log=pkilog.Log.TLS
    )
