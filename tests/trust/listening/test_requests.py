"""Requests that are no requests, slow ones and too many: none of them holds the listener up (TLS-33, bad input)."""

import contextlib
import signal
import socket
import ssl
from collections.abc import Callable

import pytest

from tests.fixtures.listener import Listener
from tests.fixtures.processes import wait_for
from tests.trust.listening.test_handshakes import tls_log
from trust.listening import gate, gunicorn_conf
from trust.listening.worker import load

REGISTER = b"POST /v1/registrations HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"


def connect(listener: Listener) -> ssl.SSLSocket:
    raw = socket.create_connection((listener.address, listener.port), timeout=60)
    return listener.context().wrap_socket(raw, server_hostname=listener.fqdn)


def answer_to(listener: Listener, sent: bytes) -> bytes:
    """Return everything that is said until the connection ends."""
    with connect(listener) as connection:
        with contextlib.suppress(OSError):
            connection.sendall(sent)
        return end_of(connection)


def end_of(connection: socket.socket) -> bytes:
    answered = b""
    with contextlib.suppress(ConnectionError, ssl.SSLEOFError):
        while part := connection.recv(65536):
            answered += part
    return answered


@pytest.mark.one_database
def test_machines_that_fill_the_listener_keep_no_other_out(listener: Listener) -> None:
    """Half requests hold no thread (more of it in tests/serving/test_arriving.py), silent ones places: not all.

    There are so many that whoever waited for their end would wait for longer than this client does.
    """
    with contextlib.ExitStack() as held:

        def hold(number: int, sent: bytes) -> None:
            for turn in range(number):
                elsewhere = (f"127.0.0.{2 + turn % 8}", 0)
                there = socket.create_connection((listener.address, listener.port), 60, elsewhere)
                held.enter_context(there).sendall(sent)

        for number, sent in (
            (8 * gunicorn_conf.threads, b"\x16\x03\x01\x02\x00\x01"),  # the beginning of a ClientHello
            (gunicorn_conf.worker_connections + 50, b""),
        ):
            hold(number, sent)
            with contextlib.closing(listener.connect(timeout=60)) as connection:
                connection.request("GET", "/health/live")
                assert connection.getresponse().status == 200


@pytest.mark.one_database
def test_bad_requests_are_answered_and_slow_ones_end(listener_of: Callable[..., Listener]) -> None:
    listener = listener_of(KEYSTEAD_LISTENER_URLS="tests.trust.listening.hurried_urls")
    listener.start()
    silent = socket.create_connection((listener.address, listener.port), timeout=60)
    half_tls = socket.create_connection((listener.address, listener.port), timeout=60)
    half_tls.sendall(b"\x16\x03\x01\x02\x00\x01")
    half_header, half_body = connect(listener), connect(listener)
    half_header.sendall(b"POST /v1/registrations HTTP/1.1\r\nHost: x\r\n")
    half_body.sendall(REGISTER + b"Content-Length: 100\r\n\r\n{")

    for sent, status in (
        (b"\x00" * 1000 + b"\r\n\r\n", b"400"),
        (b"GET\r\n\r\n", b"400"),
        (b"GET / HTTP/1.1\r\nX: " + b"x" * 100_000 + b"\r\n\r\n", b"4"),
        (b"GET /" + b"x" * 10_000 + b" HTTP/1.1\r\n\r\n", b"4"),
        (REGISTER + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\n", b"400"),
        (REGISTER + b"Content-Length: -5\r\n\r\n", b"400"),
        (REGISTER + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n", b"411"),
        (REGISTER + b"Content-Length: 65537\r\n\r\n" + b" " * 65537, b"413"),
    ):
        answered = answer_to(listener, sent)
        assert answered == b"" or answered.startswith(b"HTTP/1.1 " + status), (sent[:60], answered)
    with connect(listener) as connection:  # gone before the body is whole
        connection.sendall(REGISTER + b"Content-Length: 100\r\n\r\n{")
    assert listener.answers()  # meanwhile others are served
    assert end_of(half_tls) == b""
    assert any("the client was too slow" in line.result for line in tls_log())
    half_header.settimeout(60)
    assert end_of(half_header) == b""
    half_body.settimeout(60)
    assert end_of(half_body).startswith(b"HTTP/1.1 408 ")
    assert end_of(silent) == b""
    assert "Traceback" not in listener.log.read_text()


@pytest.mark.one_database
def test_a_stop_answers_what_is_under_way_and_says_come_back_to_the_rest(listener: Listener) -> None:
    kept = listener.connect()
    kept.request("GET", "/health/live")
    assert kept.getresponse().read() == b"live\n"
    assert listener.running
    under_way = connect(listener)
    under_way.sendall(REGISTER + b"Content-Length: 2\r\n\r\n")
    listener.running.send_signal(signal.SIGTERM)
    wait_for(lambda: not listener.takes_connections(), what="the closed port")
    # On a connection that is open: not dropped, but told when to come again.
    kept.request("GET", "/health/live")
    answer = kept.getresponse()
    assert (answer.status, answer.headers["Retry-After"]) == (503, str(gate.RETRY_AFTER_S))
    under_way.sendall(b"{}")
    assert end_of(under_way).startswith((b"HTTP/1.1 400 ", b"HTTP/1.1 503 "))  # it came before the stop, or as it began
    assert listener.running.wait(60) == 0
    assert "Traceback" not in listener.log.read_text()


def test_a_request_that_waited_too_long_for_a_thread_is_sent_away(monkeypatch: pytest.MonkeyPatch) -> None:
    def application(_environ: object, _start: object) -> list[bytes]:
        return [b"in"]

    said: list[tuple[str, dict[str, str]]] = []

    def start(status: str, headers: list[tuple[str, str]]) -> None:
        said.append((status, dict(headers)))

    gated: Callable[..., object] = gate.Gate(application)
    assert gated({}, start) == [b"in"]
    monkeypatch.setattr(load, "waited_s", gate.LONGEST_WAIT_S + 0.1)
    assert gated({}, start) != [b"in"]
    ((status, headers),) = said
    assert status == "503 Service Unavailable"
    assert headers["Retry-After"] == "30"
