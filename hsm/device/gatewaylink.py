"""The way to a gateway: HTTP over TLS on connections that are kept, one exchange at a time on each.

Python's own http.client does the protocol. What matters here lies below any pool of a library and would have to be
put into its private parts: one deadline for name, connection, handshake, request and answer together; whether a
request that failed can have reached the gateway; an alert that says why the gateway hung up; names of IP addresses.
"""

import http.client
import select
import socket
import ssl
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any

from hsm.device.codes import error_for
from hsm.device.errors import DeviceError
from hsm.device.gatewaylookup import resolve
from hsm.device.gatewaytls import DeadlineSocket, is_for_ip

CONNECT_S = 5.0  # for the name, the connection and the handshake: a healthy gateway needs milliseconds
MAX_IDLE = 32
MAX_IDLE_S = 50.0  # below what a gateway keeps a connection for
# A peer that is gone without a word is noticed within 30 s on an idle connection, within 10 s on one with data under
# way; the deadline of the call may come first.
SOCKET_OPTIONS = (
    (socket.IPPROTO_TCP, socket.TCP_NODELAY, 1),
    (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
    (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 15),
    (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 5),
    (socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 3),
    (socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 10_000),
)
# RFC 8446 §6.2, as OpenSSL names what the other side sends when it does not like our certificate.
CERTIFICATE_ALERTS = ("CERTIFICATE", "UNKNOWN_CA", "ACCESS_DENIED")
CODES_OF_VERIFICATION = {  # X509_V_ERR_…
    9: "GATEWAY_TLS_EXPIRED",  # CERT_NOT_YET_VALID
    10: "GATEWAY_TLS_EXPIRED",  # CERT_HAS_EXPIRED
    62: "GATEWAY_TLS_NAME",  # HOSTNAME_MISMATCH
    64: "GATEWAY_TLS_NAME",  # IP_ADDRESS_MISMATCH
}


@dataclass(frozen=True)
class Reply:
    """What came back."""

    status: int
    body: bytes


class LinkError(Exception):
    """No answer. `sent`: all of the request had left, it may have been carried out; `silent`: not a byte came back."""

    def __init__(self, code: str, *, sent: bool, silent: bool = False) -> None:
        super().__init__(code)
        self.code = code
        self.sent = sent
        self.silent = silent


class Link:
    """The connections to one gateway. Used by many threads at a time."""

    def __init__(self, host: str, port: int, context: ssl.SSLContext, *, check_name: bool, max_bytes: int) -> None:
        self._host, self._port = host, port
        self._context = context
        self._checks_ip = check_name and is_ip(host)
        self._max_bytes = max_bytes
        self._lock = threading.Lock()
        self._idle: list[_Connection] = []

    def post(self, path: str, body: Callable[[float], bytes], deadline: float, *, again: bool) -> Reply:
        """Send a request and return what comes back. Raises LinkError, or DeviceError for a fault before the request.

        `body` is asked for the body when a connection is there, with the seconds that are left. A request that died
        with a kept connection is sent once more on a new one when it cannot have been carried out, or when `again`
        says that this does no harm.
        """
        connection = self._kept()
        if connection is not None:
            try:
                return self._ask(connection, path, body, deadline)
            except LinkError as error:
                if not error.silent or (error.sent and not again):
                    raise
        return self._ask(self._connect(deadline), path, body, deadline)

    def close(self) -> None:
        """Close what is idle."""
        with self._lock:
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()

    def abandon(self) -> None:
        """Close this process's ends without a word: it was forked, and the connections are its parent's."""
        self._lock = threading.Lock()
        self.close()

    def _ask(self, connection: "_Connection", path: str, body: Callable[[float], bytes], deadline: float) -> Reply:
        try:
            reply = connection.ask(path, body(deadline - time.monotonic()), deadline, self._max_bytes)
        except BaseException as error:
            connection.close()
            if isinstance(error, LinkError):
                self.close()  # what is idle has probably died with it
            raise
        if connection.will_close:
            connection.close()
        else:
            self._keep(connection)
        return reply

    def _keep(self, connection: "_Connection") -> None:
        with self._lock:
            self._idle.append(connection)
            surplus = self._idle[:-MAX_IDLE]
            del self._idle[:-MAX_IDLE]
        for other in surplus:
            other.close()

    def _kept(self) -> "_Connection | None":
        """Return the connection that was used last, if it is still alive."""
        while True:
            with self._lock:
                if not self._idle:
                    return None
                connection = self._idle.pop()
            if connection.alive():
                return connection
            connection.close()

    def _connect(self, deadline: float) -> "_Connection":
        until = min(deadline, time.monotonic() + CONNECT_S)
        raw = _connected(self._host, self._port, until)
        try:
            sock = self._context.wrap_socket(raw, server_hostname=self._host, do_handshake_on_connect=False)
        except (OSError, ValueError) as error:  # the other side may be gone already
            raw.close()
            raise error_for("GATEWAY_TLS") from error
        assert isinstance(sock, DeadlineSocket)  # noqa: S101 - what the context makes
        try:
            sock.settimeout(max(0.001, until - time.monotonic()))
            sock.do_handshake()
            if self._checks_ip and not is_for_ip(sock.getpeercert(), self._host):
                raise error_for("GATEWAY_TLS_NAME")
        except OSError as error:
            code = handshake_code(error, chosen=sock.cipher() is not None)
            sock.close()
            raise error_for(code) from error
        except DeviceError:
            sock.close()
            raise
        return _Connection(self._host, self._port, sock)


class _Connection(http.client.HTTPConnection):
    """One connection, with its handshake done. It is never opened anew."""

    auto_open = 0

    def __init__(self, host: str, port: int, sock: DeadlineSocket) -> None:
        super().__init__(host, port)
        self.sock: DeadlineSocket = sock
        self.will_close = False
        self._held = bytearray()
        self._used_at = time.monotonic()

    def alive(self) -> bool:
        """Say whether the other side still seems to be there: a connection that is idle has nothing to read."""
        if time.monotonic() - self._used_at > MAX_IDLE_S:
            return False
        waiting = select.poll()
        waiting.register(self.sock.fileno(), select.POLLIN | select.POLLRDHUP)
        return not self.sock.pending() and not waiting.poll(0)

    def ask(self, path: str, body: bytes, deadline: float, max_bytes: int) -> Reply:
        """Send one request and read one answer. Raises LinkError."""
        self.sock.deadline = deadline
        self._send(path, body)
        try:
            response = self.getresponse()
        except (OSError, http.client.HTTPException) as error:
            raise LinkError(_answer_code(error), sent=not _is_refusal(error), silent=_is_silent(error)) from error
        self.will_close = response.will_close
        if 300 <= response.status < 400:
            raise LinkError("GATEWAY_REDIRECT", sent=True)
        if response.length is None:  # chunked, or until the end: a gateway always says how much it sends
            raise LinkError("GATEWAY_GARBAGE", sent=True)
        if response.length > max_bytes:
            raise LinkError("GATEWAY_TOO_LARGE", sent=True)
        wanted = response.length
        try:
            content = response.read()
        except (OSError, http.client.HTTPException) as error:
            raise LinkError(_answer_code(error), sent=True) from error
        if len(content) != wanted:
            raise LinkError("GATEWAY_LOST", sent=True)
        self._used_at = time.monotonic()
        return Reply(response.status, content)

    def send(self, data: Any) -> None:
        """Hold back what http.client sends piece by piece: head and body travel in one record."""
        self._held += data

    def _send(self, path: str, body: bytes) -> None:
        """Send the request. When that fails the gateway never has the whole of it."""
        self.request("POST", path, body, {"Content-Type": "application/json"})
        held, self._held = self._held, bytearray()
        try:
            self.sock.sendall(held)
        except TimeoutError as error:
            raise LinkError("GATEWAY_DEADLINE", sent=False) from error
        except OSError as error:
            reason = self._farewell() or error
            raise LinkError(_answer_code(reason), sent=False, silent=not _is_refusal(reason)) from error
        finally:
            held[:] = bytes(len(held))  # it carried the PIN

    def _farewell(self) -> OSError | None:
        """Return the alert that the other side sent before it hung up, if it did."""
        try:
            self.sock.recv_into(bytearray(1))
        except ssl.SSLError as error:
            return error
        except OSError:
            pass
        return None


def is_ip(host: str) -> bool:
    """Tell IP addresses from names."""
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def handshake_code(error: OSError, *, chosen: bool) -> str:
    """Return the code for a handshake that failed; `chosen`: both sides had agreed on version and suite before."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return CODES_OF_VERIFICATION.get(error.verify_code, "GATEWAY_TLS_UNTRUSTED")
    if isinstance(error, TimeoutError):
        return "GATEWAY_UNREACHABLE"
    if _is_refusal(error) or (chosen and "HANDSHAKE_FAILURE" in _reason(error)):
        return "GATEWAY_CLIENT_CERT"
    return "GATEWAY_TLS"


def _connected(host: str, port: int, until: float) -> socket.socket:
    """Connect to the first address of the host that answers; each gets its share of the time."""
    addresses = resolve(host, port, until)
    refused = False
    for number, (family, address) in enumerate(addresses):
        share = (until - time.monotonic()) / (len(addresses) - number)
        if share <= 0:
            break
        sock = socket.socket(family, socket.SOCK_STREAM)
        try:
            for level, name, value in SOCKET_OPTIONS:
                sock.setsockopt(level, name, value)
            sock.settimeout(share)
            sock.connect(address)
        except OSError as error:
            sock.close()
            refused = refused or isinstance(error, ConnectionRefusedError)
        else:
            return sock
    raise error_for("GATEWAY_REFUSED" if refused else "GATEWAY_UNREACHABLE")


def _answer_code(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return "GATEWAY_DEADLINE"
    if _is_refusal(error):
        return "GATEWAY_CLIENT_CERT"
    if isinstance(error, OSError):
        return "GATEWAY_LOST"
    return "GATEWAY_LOST" if isinstance(error, http.client.IncompleteRead) else "GATEWAY_GARBAGE"


def _is_refusal(error: Exception) -> bool:
    """Say whether the other side refused our certificate: then no program behind it has seen the request."""
    return "_ALERT_" in _reason(error) and any(part in _reason(error) for part in CERTIFICATE_ALERTS)


def _is_silent(error: Exception) -> bool:
    """Say whether the connection ended with not a byte of an answer."""
    return isinstance(error, http.client.RemoteDisconnected | ConnectionError | ssl.SSLEOFError)


def _reason(error: Exception) -> str:
    return str(getattr(error, "reason", None) or "")
