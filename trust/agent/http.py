"""The transport over real connections: HTTP/1.1 (RFC 9112) by http.client, in TLS or in clear, with deadlines.

A deadline holds for a whole request, so that a server which sends a byte now and then keeps nobody waiting.
"""

import io
import socket
import ssl
import time
from contextlib import suppress
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http.client import HTTPConnection, HTTPException, HTTPResponse
from typing import Any

from trust.agent import tls
from trust.agent.errors import ServerNotTrustedError, UnreachableError
from trust.agent.transport import Door, Reply, Request

DEADLINE_S = 30.0
MOST_BYTES = 4 * 1024 * 1024


class HttpTransport:
    """Keeps the last connection until `close`, for the requests that follow one another within a step."""

    def __init__(self, deadline_s: float = DEADLINE_S) -> None:
        self._deadline_s = deadline_s
        self._open: tuple[Door, _Timed, HTTPConnection] | None = None

    def send(self, door: Door, request: Request) -> Reply:
        """See `Transport`."""
        until = time.monotonic() + self._deadline_s
        connection = self._connection(door, until)
        try:
            return _ask(connection, request)
        except (ssl.SSLEOFError, ssl.SSLZeroReturnError) as error:
            self.close()
            raise UnreachableError("The server closed the connection.", connected=True) from error
        except ssl.SSLError as error:
            # TLS 1.3: the server judges a client's certificate after the client's side of the handshake is done.
            self.close()
            raise tls.failure(error, shown=bool(door.tls and door.tls.certificate)) from error
        except (OSError, HTTPException) as error:
            self.close()
            raise UnreachableError(f"The connection broke ({type(error).__name__}).", connected=True) from error

    def close(self) -> None:
        """See `Transport`."""
        if self._open:
            self._open[2].close()
            self._open = None

    def _connection(self, door: Door, until: float) -> HTTPConnection:
        if self._open and self._open[0] == door and self._open[2].sock is not None:
            self._open[1].until = until
            return self._open[2]
        self.close()
        connection, timed = HTTPConnection(door.name, door.port), _Timed(_connect(door, until), until)
        connection.sock = timed
        self._open = (door, timed, connection)
        return connection


def _connect(door: Door, until: float) -> socket.socket:
    try:
        raw = socket.create_connection((door.host, door.port), timeout=_left(until))
    except socket.gaierror as error:
        raise UnreachableError(f"The name {door.host} leads to no address; --connect says where it is.") from error
    except OSError as error:
        reason = type(error).__name__
        raise UnreachableError(f"Nobody answers at {door.host} port {door.port} ({reason}).") from error
    if door.tls is None:
        return raw
    try:
        raw.settimeout(_left(until))
        secure = tls.context(door.tls).wrap_socket(raw, server_hostname=door.name)
    except ssl.SSLError as error:
        raw.close()
        raise tls.failure(error, shown=bool(door.tls.certificate)) from error
    except OSError as error:
        raw.close()
        raise UnreachableError(f"The handshake broke off ({type(error).__name__}).", connected=True) from error
    if door.tls.roots:
        try:
            tls.check_time(secure, datetime.now(UTC))
        except ServerNotTrustedError:
            secure.close()
            raise
    return secure


def _ask(connection: HTTPConnection, request: Request) -> Reply:
    connection.request(request.method, request.path, request.body or None, request.headers)
    with connection.getresponse() as response:
        body = response.read(MOST_BYTES + 1)
        if len(body) > MOST_BYTES:
            raise HTTPException
        return Reply(response.status, response.headers.get_content_type(), body, _retry_after_s(response))


def _retry_after_s(response: HTTPResponse) -> int | None:
    # RFC 9110 §10.2.3: seconds, or a date.
    text = response.headers.get("Retry-After", "").strip()
    if text.isascii() and text.isdigit():
        return min(int(text[:9]), 86_400)  # of thousands of digits no number is made
    try:
        return max(0, int(parsedate_to_datetime(text).timestamp() - time.time()))
    except (TypeError, ValueError):
        return None


def _left(until: float) -> float:
    left = until - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left


class _Timed:
    """A socket whose every call ends by `until`."""

    def __init__(self, raw: socket.socket, until: float) -> None:
        self._raw = raw
        self.until = until

    def sendall(self, data: Any) -> None:
        self._raw.settimeout(_left(self.until))
        try:
            self._raw.sendall(data)
        except OSError:
            self._hear_why()
            raise

    def receive_into(self, buffer: Any) -> int:
        self._raw.settimeout(_left(self.until))
        return self._raw.recv_into(buffer)

    def _hear_why(self) -> None:
        """Raise what the peer said before it hung up, such as a TLS alert; nothing if it said nothing."""
        with suppress(TimeoutError, ConnectionError, ssl.SSLEOFError, ssl.SSLZeroReturnError):
            self._raw.settimeout(min(1.0, _left(self.until)))
            self._raw.recv(1)

    def makefile(self, *_arguments: Any) -> io.BufferedReader:
        return io.BufferedReader(_Reading(self))

    def close(self) -> None:
        self._raw.close()


class _Reading(io.RawIOBase):
    def __init__(self, timed: _Timed) -> None:
        self._timed = timed

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        return self._timed.receive_into(buffer)
