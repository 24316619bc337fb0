"""The transport over real connections: HTTP/1.1 (RFC 9112) by http.client, in TLS or in clear, with deadlines.

A deadline holds for a whole request, so that a server which sends a byte now and then keeps nobody waiting.

One connection is kept from request to request, and from one registration to the next: a new handshake costs a server
four times as much as the registration itself. It is for one door: whoever shows another certificate, or has come to
hold other roots, connects anew.
"""

import socket
import ssl
import time
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http.client import HTTPConnection, HTTPException, HTTPResponse
from math import inf

from trust.agent import tls
from trust.agent.errors import ServerNotTrustedError, UnreachableError
from trust.agent.timed import Timed, left
from trust.agent.transport import LONGEST_RETRY_S, Door, Reply, Request
from trust.wire.errors import WireError

DEADLINE_S = 30.0
LONGEST_KEPT_S = 600.0
"""After this time both sides prove anew who they are, whatever happens."""
MOST_BYTES = 4 * 1024 * 1024
BROKEN = (OSError, HTTPException, ValueError)
"""`http.client` raises ValueError for a chunk of less than nothing."""


@dataclass(frozen=True)
class _Open:
    """A connection through a door; `until` (of `time.monotonic`) it may be used again."""

    door: Door
    timed: Timed
    http: HTTPConnection
    until: float

    def serves(self, door: Door) -> bool:
        is_open = self.http.sock is not None and time.monotonic() < self.until
        return is_open and self.door == door and self.timed.is_quiet()


class HttpTransport:
    """Keeps the last connection, for what is asked next through the same door."""

    def __init__(self, deadline_s: float = DEADLINE_S, kept_s: float = LONGEST_KEPT_S) -> None:
        self._deadline_s, self._kept_s = deadline_s, kept_s
        self._open: _Open | None = None

    def send(self, door: Door, request: Request) -> Reply:
        """See `Transport`.

        A request is sent once more, over a new connection, if the kept one ends without a word: the server has closed
        it meanwhile (RFC 9112 §9.3.1). If it did read the request it knows it again (docs/client-protocol.md).
        """
        until = time.monotonic() + self._deadline_s
        kept = self._open if self._open and self._open.serves(door) else None
        if kept:
            try:
                return self._ask(kept, request, until)
            except BROKEN as error:
                if kept.timed.has_heard or isinstance(error, TimeoutError):
                    raise _unreachable(error, door) from error
        try:
            return self._ask(self._connect(door, until), request, until)
        except BROKEN as error:
            raise _unreachable(error, door) from error

    def close(self) -> None:
        """See `Transport`."""
        if self._open:
            self._open.http.close()
            self._open = None

    def _connect(self, door: Door, until: float) -> _Open:
        self.close()
        raw, http = _connect(door, until), HTTPConnection(door.name, door.port)
        http.sock = timed = Timed(raw)
        kept_s = min(self._kept_s, _valid_s(door, raw))
        self._open = _Open(door, timed, http, time.monotonic() + kept_s)
        return self._open

    def _ask(self, over: _Open, request: Request, until: float) -> Reply:
        over.timed.begin(until)
        try:
            return _ask(over.http, request)
        except BROKEN:
            self.close()
            raise


def _connect(door: Door, until: float) -> socket.socket:
    try:
        raw = _reach(door, until)
    except socket.gaierror as error:
        raise UnreachableError(f"The name {door.host} leads to no address; --connect says where it is.") from error
    except (OSError, ValueError, OverflowError) as error:  # what no name is, and what no port
        reason = type(error).__name__
        raise UnreachableError(f"Nobody answers at {door.host} port {door.port} ({reason}).") from error
    if door.tls is None:
        return raw
    try:
        raw.settimeout(left(until))
        return tls.context(door.tls).wrap_socket(raw, server_hostname=door.name)
    except ssl.SSLError as error:
        raw.close()
        raise tls.failure(error, shown=bool(door.tls.certificate)) from error
    except (OSError, ValueError) as error:
        raw.close()
        raise UnreachableError(f"The handshake broke off ({type(error).__name__}).", connected=True) from error


def _reach(door: Door, until: float) -> socket.socket:
    """Return a connection to the first address that answers; raises OSError, and ValueError for what is no name.

    Each has its share of the time, and what follows has one, too: one that is silent keeps nobody from the next.
    """
    addresses = socket.getaddrinfo(door.host, door.port, type=socket.SOCK_STREAM)
    while True:
        share_s = left(until) / (len(addresses) + 1)
        family, kind, protocol, _name, address = addresses.pop(0)
        try:
            with ExitStack() as on_failure:
                raw = on_failure.enter_context(socket.socket(family, kind, protocol))
                raw.settimeout(share_s)
                raw.connect(address)
                on_failure.pop_all()
        except OSError:
            if not addresses:
                raise
        else:
            return raw


def _valid_s(door: Door, raw: socket.socket) -> float:
    """Return how long the server's certificate is valid from now on; raises ServerNotTrustedError."""
    if not (isinstance(raw, ssl.SSLSocket) and door.tls and door.tls.roots):
        return inf
    try:
        return tls.check_time(raw, datetime.now(UTC))
    except (ServerNotTrustedError, WireError):
        raw.close()
        raise


def _ask(connection: HTTPConnection, request: Request) -> Reply:
    connection.request(request.method, request.path, request.body or None, request.headers)
    with connection.getresponse() as response:
        if response.length is None and not response.chunked:
            raise HTTPException  # only the end of the connection would tell its end, also in the middle of its head
        body = response.read(MOST_BYTES + 1)
        if len(body) > MOST_BYTES:
            raise HTTPException
        return Reply(response.status, response.headers.get_content_type(), body, _retry_after_s(response))


def _retry_after_s(response: HTTPResponse) -> int | None:
    # RFC 9110 §10.2.3: seconds, or a date.
    text = response.headers.get("Retry-After", "").strip()
    if text.isascii() and text.isdigit():
        return min(int(text[:9]), LONGEST_RETRY_S)  # of thousands of digits no number is made
    try:
        return min(max(0, int(parsedate_to_datetime(text).timestamp() - time.time())), LONGEST_RETRY_S)
    except (TypeError, ValueError, OverflowError):
        return None


def _unreachable(error: Exception, door: Door) -> UnreachableError:
    if isinstance(error, (ssl.SSLEOFError, ssl.SSLZeroReturnError)):
        return UnreachableError("The server closed the connection.", connected=True)
    if isinstance(error, ssl.SSLError):
        # TLS 1.3: the server judges a client's certificate after the client's side of the handshake is done.
        return tls.failure(error, shown=bool(door.tls and door.tls.certificate))
    return UnreachableError(f"The connection broke ({type(error).__name__}).", connected=True)
