"""Requests that come in pieces hold no thread, and arrive all the same."""

import http.client
import os
import select
import signal
import socket
import ssl
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass

import pytest

from console.env import BASE_DIR
from serving.arriving import BODY_BYTES, CONTINUE
from tests.fixtures.certificates import Authority
from tests.serving.served import THREADS

POST = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n"
HALF_A_HEAD = b"POST / HTTP/1.1\r\nHost: x\r\nX: "
CLIENT_HELLO_BEGINS = b"\x16\x03\x01\x02\x00\x01"


@dataclass
class Server:
    """Where it listens, and what its clients trust."""

    port: int
    context: ssl.SSLContext

    def raw(self, address: str = "127.0.0.1") -> socket.socket:
        made = socket.create_connection(("127.0.0.1", self.port), 60, (address, 0))
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return made

    def connect(self, address: str = "127.0.0.1") -> ssl.SSLSocket:
        return self.context.wrap_socket(self.raw(address), server_hostname="localhost")

    def ask(self, path: str = "/", body: bytes = b"honest") -> bytes:
        connection = http.client.HTTPConnection("127.0.0.1", self.port)
        connection.sock = self.connect()
        connection.request("POST", path, body)
        said = connection.getresponse().read()
        connection.close()
        return said

    def half_shaken(self, address: str) -> socket.socket:
        """Return a connection on which the client says nothing more after its first flight."""
        client = self.context.wrap_bio(ssl.MemoryBIO(), flight := ssl.MemoryBIO(), server_hostname="localhost")
        with pytest.raises(ssl.SSLWantReadError):
            client.do_handshake()
        raw = self.raw(address)
        raw.sendall(flight.read())
        assert raw.recv(1)
        return raw


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    authority = Authority("Served")
    issued = authority.issue("localhost", ["localhost"])
    pem = tmp_path_factory.mktemp("served") / "server.pem"
    pem.write_text(issued.key_pem + issued.pem)
    with socket.create_server(("127.0.0.1", 0), backlog=64) as listening:
        descriptor = listening.fileno()
        argv = (sys.executable, "-m", "tests.serving.served", str(descriptor), str(pem))
        process = subprocess.Popen(argv, pass_fds=[descriptor], cwd=BASE_DIR)
        yield Server(listening.getsockname()[1], ssl.create_default_context(cadata=authority.pem))
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == 0


def half_requests(server: Server, address: str) -> list[socket.socket]:
    """Return connections that stop at each place where one can; the last one within a body."""
    beginning = server.raw(address)
    beginning.sendall(CLIENT_HELLO_BEGINS)
    silent, head, body = (server.connect(address) for _ in range(3))
    head.sendall(HALF_A_HEAD)
    body.sendall(POST % 100 + b"{")
    return [beginning, server.half_shaken(address), silent, head, body]


def test_half_requests_hold_no_thread_and_end_at_their_time(server: Server) -> None:
    with ExitStack() as held:

        def hold(address: str) -> list[socket.socket]:
            return [held.enter_context(one) for one in half_requests(server, address)]

        server.ask("/patience", b"120")
        waiting = [one for number in range(2 * THREADS) for one in hold(f"127.0.0.{2 + number}")]
        assert server.ask() == b"honest"
        assert not _ended(waiting)  # none of them had to end for that
        server.ask("/patience", b"2")
        *late, body = hold("127.0.0.2")
        with server.connect() as drip:
            _drip(drip)
        for connection in late:
            assert b"HTTP/" not in end_of(connection)
        assert end_of(body).startswith(b"HTTP/1.1 408 ")
        server.ask("/patience", b"120")


def _drip(connection: ssl.SSLSocket) -> None:
    """Send byte after byte of a head that does not end, until the other side has had enough."""
    connection.sendall(HALF_A_HEAD)
    try:
        while not select.select([connection], [], [], 0.05)[0]:
            connection.sendall(b"x")
    except OSError:
        pass


def _ended(connections: list[socket.socket]) -> list[socket.socket]:
    """Return those of which the other side has no more to say; what it said up to now is read."""
    ended = []
    for connection in connections:
        raw = socket.socket(fileno=os.dup(connection.fileno()))
        with raw:
            while select.select([raw], [], [], 0)[0]:
                if not raw.recv(65536):
                    ended.append(connection)
                    break
    return ended


def end_of(connection: socket.socket) -> bytes:
    """Return all that is said."""
    said = b""
    try:
        while part := connection.recv(65536):
            said += part
    except (ConnectionError, ssl.SSLError):
        pass
    return said


def test_a_request_of_single_bytes_arrives_whole(server: Server) -> None:
    with server.connect() as connection:
        for byte in POST % 5 + b"bytes":
            connection.sendall(bytes([byte]))
        assert body_of(connection) == b"bytes"


def body_of(connection: ssl.SSLSocket) -> bytes:
    answer = http.client.HTTPResponse(connection)
    answer.begin()
    return answer.read()


def test_requests_that_come_together_are_answered_one_after_the_other(server: Server) -> None:
    bodies = [b"1" * 20_000, b"", b"3", b"4" * 50_000]
    sent = b"".join(POST % len(body) + body for body in bodies)
    with server.connect() as connection, connection.makefile("rb") as answers:
        connection.sendall(sent[:-30_000])
        for body in bodies:
            if body is bodies[-1]:
                connection.sendall(sent[-30_000:])
            assert answers.readline() == b"HTTP/1.1 200 OK\r\n"
            while answers.readline() != b"\r\n":
                pass
            assert answers.read(len(body)) == body


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"GET / HTTP/1.1\r\nX: " + b"x" * 20_000, b"431"),  # and never ends
        (b"GET / HTTP/1.1\nHost: x\n\n", b"400"),
        (POST % (BODY_BYTES + 1) + b"x" * (BODY_BYTES + 1), b"408"),
        (POST % 1 + b"x", b"200"),
    ],
)
def test_what_is_not_waited_for_is_answered(server: Server, sent: bytes, status: bytes) -> None:
    with server.connect() as connection:
        _send(connection, sent)
        assert end_of(connection).startswith(b"HTTP/1.1 " + status)


def _send(connection: ssl.SSLSocket, sent: bytes) -> None:
    """Send, and close this side of the connection."""
    try:
        connection.sendall(sent)
        with socket.socket(fileno=os.dup(connection.fileno())) as raw:
            raw.shutdown(socket.SHUT_WR)
    except (ConnectionError, ssl.SSLError):
        pass


def test_a_client_that_asks_first_whether_to_send_is_told_so_once(server: Server) -> None:
    with server.connect() as connection, connection.makefile("rb") as answers:
        connection.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n")
        assert answers.read(len(CONTINUE)) == CONTINUE
        connection.sendall(b"body")
        assert answers.readline() == b"HTTP/1.1 200 OK\r\n"
