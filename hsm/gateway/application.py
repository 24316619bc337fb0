"""The WSGI application: /v1/<operation> on the API's port, /health on the two others. Every failure is an answer."""

import logging
import socket
import time
import traceback
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import msgspec

from hsm.device import gatewaywire as wire
from hsm.device.errors import DeviceError, KeyExistsError, TokenNotFoundError
from hsm.gateway import faults
from hsm.gateway.health import Health
from hsm.gateway.operations import Operations, existing_key
from hsm.gateway.pins import Pins
from hsm.gateway.slots import Slots
from serving.patience import has_left

log = logging.getLogger("keystead.gateway")

StartResponse = Callable[[str, list[tuple[str, str]]], object]


@dataclass
class _Line:
    """What the log says about one request: nothing that is secret."""

    operation: str = "-"
    slot: int | None = None
    key_id: bytes = b""
    code: str = ""

    def write(self, status: HTTPStatus, client: str, took_s: float) -> None:
        key = f" key={self.key_id[:4].hex()}" if self.key_id else ""
        slot = f" slot={self.slot}" if self.slot is not None else ""
        code = f" {self.code}" if self.code else ""
        log.info("%s %s%s%s %d%s %.0f ms", client, self.operation, slot, key, status, code, took_s * 1000)


class Application:
    """Serves requests from several threads at once."""

    def __init__(
        self, *, slots: Slots, pins: Pins, health: Health, operations: Operations, health_ports: tuple[int, ...]
    ) -> None:
        self._slots = slots
        self._pins = pins
        self._health = health
        self._operations = operations
        self._health_ports = health_ports

    def __call__(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request."""
        connection: socket.socket = environ["gunicorn.socket"]
        if connection.getsockname()[1] in self._health_ports:
            return self._answer_health(environ, start_response)
        started, line = time.monotonic(), _Line()
        status, answer = self._answer(environ, connection, started, line)
        line.write(status, environ.get("REMOTE_ADDR", "-"), time.monotonic() - started)
        body = wire.encode(answer)
        headers = [
            ("Content-Type", wire.CONTENT_TYPE),
            ("Content-Length", str(len(body))),
            ("Cache-Control", "no-store"),
        ]
        if isinstance(answer, wire.ErrorAnswer):
            headers += _error_headers(status, answer)
        start_response(f"{status.value} {status.phrase}", headers)
        return [body]

    def _answer_health(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        """204 or 500, and no body, whatever else happens."""
        status = HTTPStatus.INTERNAL_SERVER_ERROR
        if environ["PATH_INFO"] != "/health":
            status = HTTPStatus.NOT_FOUND
        elif environ["REQUEST_METHOD"] not in ("GET", "HEAD"):
            status = HTTPStatus.METHOD_NOT_ALLOWED
        else:
            try:
                status = HTTPStatus.NO_CONTENT if self._health.check() else status
            except Exception as fault:  # noqa: BLE001 - a load balancer gets its answer
                _log_fault(fault)
        headers = [] if status is HTTPStatus.NO_CONTENT else [("Content-Length", "0")]
        start_response(f"{status.value} {status.phrase}", headers)
        return []

    def _answer(
        self, environ: dict[str, Any], connection: socket.socket, started: float, line: _Line
    ) -> tuple[HTTPStatus, wire.Answer]:
        try:
            return HTTPStatus.OK, self._carry_out(environ, connection, started, line)
        except _RefusedError as refused:
            line.code = refused.error.code
            return faults.status_of(refused.error), faults.answer_for(refused.error, refused.existing)
        except DeviceError as error:
            line.code = error.code
            return faults.status_of(error), faults.answer_for(error)
        except Exception as fault:  # noqa: BLE001 - the one catch-all: a client never sees a traceback
            _log_fault(fault)
            own = faults.own_fault()
            own.outcome_unknown = line.operation in ("generate", "import")
            line.code = own.code
            return own.status, faults.answer_for(own)

    def _carry_out(
        self, environ: dict[str, Any], connection: socket.socket, started: float, line: _Line
    ) -> wire.Answer:
        kind = _operation(environ, line)
        request = _understood(_body(environ), kind)
        line.slot, line.key_id = request.slot, getattr(request, "key_id", b"")
        until = started + request.deadline_ms / 1000

        def check() -> None:
            if has_left(connection):
                raise faults.not_understood("The client closed the connection.")

        token = self._slots.find(request.slot, request.label, request.serial, until)
        self._health.begin(token.slot_id)
        failure: DeviceError | None = None
        try:
            with self._pins.open(token, request.pin, until, check) as device:
                try:
                    return self._operations.carry_out(device, request)
                except KeyExistsError as error:
                    raise _RefusedError(error, existing_key(device, request)) from error
        except TokenNotFoundError as error:
            self._slots.forget()
            failure = error
            raise
        except DeviceError as error:
            failure = error
            raise
        except _RefusedError as refused:
            failure = refused.error
            raise
        finally:
            self._health.end(token.slot_id, failure)


class _RefusedError(Exception):
    """A creation that the token refused, with the key that is in the way."""

    def __init__(self, error: KeyExistsError, existing: wire.KeyPart | None) -> None:
        super().__init__(error.code)
        self.error = error
        self.existing = existing


def _operation(environ: dict[str, Any], line: _Line) -> type[wire.Request]:
    path = str(environ["PATH_INFO"])
    name = path.removeprefix(wire.PREFIX)
    if name == path or name not in wire.OPERATIONS:
        raise faults.no_such_path(path)
    line.operation = name
    if environ["REQUEST_METHOD"] != "POST":
        raise faults.wrong_method()
    return wire.OPERATIONS[name][0]


def _body(environ: dict[str, Any]) -> bytes:
    if str(environ.get("CONTENT_TYPE", "")).partition(";")[0].strip().lower() != wire.CONTENT_TYPE:
        raise faults.not_understood("The request is not application/json.", HTTPStatus.UNSUPPORTED_MEDIA_TYPE)
    length = str(environ.get("CONTENT_LENGTH", ""))
    if "HTTP_TRANSFER_ENCODING" in environ or not length.isdecimal():
        raise faults.not_understood("The request does not say how long it is.", HTTPStatus.LENGTH_REQUIRED)
    if len(length) > 10 or int(length) > wire.MAX_REQUEST_BYTES:
        raise faults.too_large(wire.MAX_REQUEST_BYTES)
    try:
        body: bytes = environ["wsgi.input"].read(int(length))
    except OSError as error:
        message = "The request did not arrive in time."
        raise faults.not_understood(message, HTTPStatus.REQUEST_TIMEOUT) from error
    if len(body) != int(length):
        raise faults.not_understood("The request broke off.")
    return body


def _understood(body: bytes, kind: type[wire.Request]) -> wire.Request:
    try:
        return wire.decode(body, kind)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        reason = str(error) if isinstance(error, msgspec.ValidationError) else "it is not JSON"
    raise faults.not_understood(f"The request is not understood: {reason[:200]}.")


def _error_headers(status: HTTPStatus, answer: wire.ErrorAnswer) -> list[tuple[str, str]]:
    headers = []
    if answer.retry_after_s is not None:
        headers.append(("Retry-After", str(answer.retry_after_s)))
    if status is HTTPStatus.METHOD_NOT_ALLOWED:
        headers.append(("Allow", "POST"))
    if status in UNREAD or status in ELSEWHERE:
        headers.append(("Connection", "close"))
    return headers


# The body may still be on its way: the connection cannot be used again.
UNREAD = frozenset(
    {
        HTTPStatus.METHOD_NOT_ALLOWED,
        HTTPStatus.LENGTH_REQUIRED,
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
        HTTPStatus.REQUEST_TIMEOUT,
    }
)

# Behind a load balancer the next request may find a gateway whose HSM serves, but only on a new connection.
ELSEWHERE = frozenset({HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.GATEWAY_TIMEOUT})


def _log_fault(fault: BaseException) -> None:
    """Say where a fault of the program came from, without its text, which may quote a request."""
    where = "".join(traceback.format_tb(fault.__traceback__))
    log.error("A fault of the gateway: %s\n%s", type(fault).__name__, where)
