"""A peer that is no good gateway: a TLS server in threads, which does with each request whatever a test says."""

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.fixtures.certificates import Authority, Issued

Behaviour = Callable[["Exchange"], None]


class Exchange:
    """One request that was read whole, and the connection to answer on."""

    def __init__(self, sock: ssl.SSLSocket, request: bytes, given_up: threading.Event) -> None:
        self._sock = sock
        self.request = request
        self.given_up = given_up  # set when the test is over: what dribbles or waits ends then

    def send(self, data: bytes) -> None:
        self._sock.sendall(data)

    def answer(self, body: bytes, status: str = "200 OK", *, length: int | None = None) -> None:
        """Send an answer, perhaps with a wrong length."""
        size = len(body) if length is None else length
        self.send(
            f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {size}\r\n\r\n".encode() + body
        )


class HangUp(Exception):  # noqa: N818 - an act, no error
    """Raised by a behaviour: close the connection without another byte."""


class FakePeer:
    """Listens on 127.0.0.1 (or another address) until it is closed."""

    def __init__(self, behaviour: Behaviour, context: ssl.SSLContext, host: str) -> None:
        self.behaviour = behaviour
        self.requests: list[bytes] = []
        self.connections = 0
        self._context = context
        self._over = threading.Event()
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._listener = socket.create_server((host, 0), family=family)
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._listen, daemon=True).start()

    def close(self) -> None:
        self._over.set()
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)  # a close alone would not wake the thread that accepts
        self._listener.close()

    def _listen(self) -> None:
        while True:
            try:
                raw, _address = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._serve, args=(raw,), daemon=True).start()

    def _serve(self, raw: socket.socket) -> None:
        with raw, suppress(OSError, HangUp, EOFError):
            raw.settimeout(60)
            with self._context.wrap_socket(raw, server_side=True) as sock:
                while True:
                    request = _read(sock)
                    self.requests.append(request)
                    self.behaviour(Exchange(sock, request, self._over))


@contextmanager
def fake_peer(
    behaviour: Behaviour,
    certified: Issued,
    *,
    client_ca: Authority | None = None,
    host: str = "127.0.0.1",
    version: ssl.TLSVersion | None = None,
    suites: str = "",
) -> Iterator[FakePeer]:
    """Start a peer with this certificate; `client_ca` makes it ask for a client certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with TemporaryDirectory() as name:
        file = Path(name) / "both.pem"
        file.write_text(certified.key_pem + certified.pem)
        context.load_cert_chain(file)
    if client_ca is not None:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(cadata=client_ca.pem)
    if version is not None:
        context.minimum_version = context.maximum_version = version
    if suites:
        context.set_ciphers(suites)
    peer = FakePeer(behaviour, context, host)
    try:
        yield peer
    finally:
        peer.close()


def _read(sock: ssl.SSLSocket) -> bytes:
    """Return one request: its head and as many bytes as it says."""
    data = b""
    while b"\r\n\r\n" not in data:
        data += _some(sock)
    head, _, body = data.partition(b"\r\n\r\n")
    lengths = [line.split(b":")[1] for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")]
    while len(body) < int(lengths[0]):
        body += _some(sock)
    return head + b"\r\n\r\n" + body


def _some(sock: ssl.SSLSocket) -> bytes:
    chunk = sock.recv(65536)
    if not chunk:
        raise EOFError
    return chunk
