"""The client's way over real sockets: whom it believes in TLS, which suites it takes, and that it waits for nobody."""

import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from tests.trust import authorities
from tests.trust.authorities import TLS, Holder
from trust.agent.errors import (
    CertificateRefusedError,
    HandshakeError,
    ServerNotTrustedError,
    UnreachableError,
)
from trust.agent.http import HttpTransport
from trust.agent.tls import SUITES
from trust.agent.transport import Door, Reply, Request, Tls

NAME = "server.example"
ROOT = authorities.root("server.example Root 0")
LEAF = authorities.below(ROOT, NAME, purposes=TLS, dns=NAME)
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nok"
ASK = Request("GET", "/", headers={"X": "y"})
Talk = Callable[[socket.socket], None]


def files(holder: Holder, folder: Path) -> tuple[Path, Path]:
    """Write certificate and key for `ssl`."""
    certificate, key = folder / f"{holder.name}.crt", folder / f"{holder.name}.key"
    certificate.write_bytes(holder.certificate.public_bytes(Encoding.PEM))
    key.write_bytes(holder.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return certificate, key


def server_context(holder: Holder, folder: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*files(holder, folder))
    return context


@contextmanager
def serving(talk: Talk, context: ssl.SSLContext | None = None) -> Iterator[int]:
    """Serve on a free port, each connection by `talk`."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        ended = threading.Event()

        def serve() -> None:
            while not ended.is_set():
                with suppress(OSError):
                    connection, _address = listener.accept()
                    with connection:
                        talk(context.wrap_socket(connection, server_side=True) if context else connection)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            ended.set()
            with suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            thread.join(10)


def polite(connection: socket.socket) -> None:
    """Answer every request of a connection."""
    with connection:
        while connection.recv(65_536):
            connection.sendall(ANSWER)


@pytest.mark.parametrize(
    ("since", "until", "is_believed"),
    [(-100, 20, True), (-100, -20, True), (20, 100, True), (-100, -26, False), (26, 100, False)],
)
def test_a_clock_that_is_wrong_by_a_day_keeps_no_client_away(
    tmp_path: Path,
    since: int,
    until: int,
    is_believed: bool,
) -> None:
    now = datetime.now(UTC).replace(microsecond=0)
    begins, ends = now + timedelta(hours=since), now + timedelta(hours=until)
    leaf = authorities.below(ROOT, NAME, purposes=TLS, dns=NAME, since=begins, until=ends)
    with serving(polite, server_context(leaf, tmp_path)) as port:
        at = door(port, Tls((ROOT.der,)))
        if is_believed:
            assert ask(at).status == 200
        else:
            with pytest.raises(ServerNotTrustedError, match="clock says"):
                ask(at)


def door(port: int, tls: Tls | None, name: str = NAME) -> Door:
    return Door("127.0.0.1", port, name, tls)


def ask(at: Door, deadline_s: float = 20) -> Reply:
    transport = HttpTransport(deadline_s)
    try:
        return transport.send(at, ASK)
    finally:
        transport.close()


def test_a_server_below_a_root_that_is_held_answers(tmp_path: Path) -> None:
    with serving(polite, server_context(LEAF, tmp_path)) as port:
        transport = HttpTransport()
        at = door(port, Tls((ROOT.der,)))
        assert [transport.send(at, ASK).body for _ in range(3)] == [b"ok"] * 3
        transport.close()


@pytest.mark.parametrize("fault", ["another root", "another name", "nobody's root"])
def test_a_server_in_the_middle_is_not_trusted(tmp_path: Path, fault: str) -> None:  # TLS-02, BND-01
    other = authorities.root("another")
    holder = authorities.below(other, NAME, purposes=TLS, dns=NAME) if fault == "another root" else LEAF
    roots = (other.der,) if fault == "nobody's root" else (ROOT.der,)
    name = "other.example" if fault == "another name" else NAME
    with serving(polite, server_context(holder, tmp_path)) as port, pytest.raises(ServerNotTrustedError):
        ask(door(port, Tls(roots), name))


@pytest.mark.parametrize("suite", [*SUITES, "AES256-SHA", "ECDHE-ECDSA-AES128-SHA"])
def test_tls_1_2_takes_exactly_six_suites(tmp_path: Path, suite: str) -> None:  # TLS-12
    holder = LEAF
    if "RSA" in suite or suite == "AES256-SHA":
        key = rsa.generate_private_key(65537, 2048)
        holder = authorities.below(ROOT, NAME, purposes=TLS, dns=NAME, key=key)
    context = server_context(holder, tmp_path)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(f"{suite}:@SECLEVEL=0")
    with serving(polite, context) as port:
        at = door(port, Tls((ROOT.der,)))
        if suite in SUITES:
            assert ask(at).body == b"ok"
        else:
            with pytest.raises(HandshakeError):
                ask(at)


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_certificate_that_the_server_turns_down_is_told_apart(tmp_path: Path, version: ssl.TLSVersion) -> None:
    context = server_context(LEAF, tmp_path)
    context.maximum_version = context.minimum_version = version
    context.verify_mode = ssl.CERT_OPTIONAL
    context.load_verify_locations(cadata=ROOT.der)
    stranger = authorities.below(authorities.root("another"), "client", purposes=TLS)
    with serving(polite, context) as port:
        at = door(port, Tls((ROOT.der,), *files(stranger, tmp_path)))
        for _ in range(20):
            with pytest.raises(UnreachableError) as broken:
                ask(at)
            if isinstance(broken.value, CertificateRefusedError):
                break
            # In TLS 1.3 the alert can be lost with the connection (`trust.agent.exchange` counts such breaks).
            assert version is ssl.TLSVersion.TLSv1_3
        assert isinstance(broken.value, CertificateRefusedError)
        assert ask(door(port, Tls((ROOT.der,)))).body == b"ok"


def test_without_roots_the_server_stays_a_stranger_and_is_heard(tmp_path: Path) -> None:
    with serving(polite, server_context(LEAF, tmp_path)) as port:
        assert ask(door(port, Tls(()))).body == b"ok"


def test_a_server_without_tls_is_no_handshake() -> None:  # TLS-11
    with serving(polite) as port:
        assert ask(door(port, None)).body == b"ok"
        with pytest.raises(HandshakeError):
            ask(door(port, Tls((ROOT.der,))))


def drip(connection: socket.socket) -> None:
    """Send a header byte by byte, and never end."""
    with connection, suppress(OSError):
        connection.recv(65_536)
        for byte in b"HTTP/1.1 200 OK\r\nX: " + b"y" * 10_000:
            connection.sendall(bytes([byte]))
            time.sleep(0.02)


def silent(connection: socket.socket) -> None:
    with connection, suppress(OSError):
        while connection.recv(65_536):
            pass


def hang_up(connection: socket.socket) -> None:
    connection.recv(65_536)
    connection.close()


def pour(connection: socket.socket) -> None:
    with connection, suppress(OSError):
        connection.recv(65_536)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n")
        for _ in range(200):
            connection.sendall(b"x" * 65_536)


def rubbish(connection: socket.socket) -> None:
    with connection, suppress(OSError):
        connection.recv(65_536)
        connection.sendall(b"\x00\xff rubbish\r\n\r\n")


def less_than_nothing(connection: socket.socket) -> None:
    with connection, suppress(OSError):
        connection.recv(65_536)
        connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-5\r\nhello\r\n0\r\n\r\n")


@pytest.mark.parametrize("talk", [drip, silent, hang_up, pour, rubbish, less_than_nothing])
def test_nobody_keeps_it_waiting_or_fills_its_memory(talk: Talk) -> None:
    with serving(talk) as port:
        began = time.monotonic()
        with pytest.raises(UnreachableError) as broken:
            ask(door(port, None), deadline_s=0.7)
        assert broken.value.connected
        assert time.monotonic() - began < 15


def test_nobody_there() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with pytest.raises(UnreachableError) as broken:
        ask(door(port, None))
    assert not broken.value.connected
    for host in ("two..dots", "x" * 70):  # what ServerNameList may say, and no name service takes
        with pytest.raises(UnreachableError):
            ask(Door(host, port, host, None))


def test_an_address_that_is_silent_keeps_nobody_from_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full, serving(polite) as port:
        silent_port = full.getsockname()[1]
        both = [socket.getaddrinfo("127.0.0.1", one, type=socket.SOCK_STREAM)[0] for one in (silent_port, port)]
        with socket.create_connection(("127.0.0.1", silent_port)):  # it has no room for another one
            monkeypatch.setattr(socket, "getaddrinfo", lambda *_arguments, **_options: list(both))
            assert ask(door(port, None), deadline_s=3).body == b"ok"


def test_an_answer_that_ends_the_connection_is_read_to_its_end(tmp_path: Path) -> None:
    """More of it than comes with the head: a server that is full, or stops, ends each answer so."""
    body = b"x" * 100_000

    def last(connection: socket.socket) -> None:
        with connection:
            connection.recv(65_536)
            head = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nConnection: close\r\n"
            connection.sendall(head + b"Content-Length: %d\r\n\r\n" % len(body) + body)
            connection.recv(65_536)

    with serving(last, server_context(LEAF, tmp_path)) as port:
        transport = HttpTransport()
        at = door(port, Tls((ROOT.der,)))
        assert [transport.send(at, ASK).body for _ in range(2)] == [body, body]
        transport.close()


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (b"120", 120), (b"9" * 5000, 86_400), (b"Thu, 01 Jan 1970 00:00:00 GMT", 0), (b"soon", None), (b"-5", None),
        (b"Fri, 01 Jan 9999 00:00:00 GMT", 86_400), (b"Mon, 01 Jan 99999999999 00:00:00 GMT", None),
    ],
)  # fmt: skip
def test_retry_after_is_seconds_or_a_date(header: bytes, seconds: int | None) -> None:
    def busy(connection: socket.socket) -> None:
        with connection:
            connection.recv(65_536)
            connection.sendall(b"HTTP/1.1 503 No\r\nRetry-After: " + header + b"\r\nContent-Length: 0\r\n\r\n")

    with serving(busy) as port:
        assert ask(door(port, None)).retry_after_s == seconds
