"""What is no request of the protocol gets an error of the protocol, in bounded time, and never a traceback."""

import json
import os
import secrets
import signal
import socket
import ssl
import threading

import pytest

from hsm.device import gatewaywire as wire
from serving.arriving import BODY_BYTES
from tests.fixtures.processes import wait_for
from tests.hsm.device.waiting import alive
from tests.hsm.gateway.asking import JSON, Client, health, tls
from tests.hsm.gateway.conftest import Served

KEY = {"spec": "ec-p256", "key_label": "", "operations": ["sign", "verify"]}


@pytest.mark.parametrize(
    ("method", "path", "headers", "body", "status", "code"),
    [
        ("POST", "/", JSON, b"{}", 404, "GATEWAY_PATH"),
        ("POST", "/v1/", JSON, b"{}", 404, "GATEWAY_PATH"),
        ("POST", "/v1/token/../sign", JSON, b"{}", 404, "GATEWAY_PATH"),
        ("POST", "/health", JSON, b"{}", 404, "GATEWAY_PATH"),
        ("POST", "/v2/token", JSON, b"{}", 404, "GATEWAY_VERSION"),
        ("GET", "/v1/token", {}, None, 405, "GATEWAY_PATH"),
        ("PUT", "/v1/token", JSON, b"{}", 405, "GATEWAY_PATH"),
        ("POST", "/v1/token", {}, b"{}", 415, "GATEWAY_REQUEST"),
        ("POST", "/v1/token", {"Content-Type": "text/plain"}, b"{}", 415, "GATEWAY_REQUEST"),
        ("POST", "/v1/token", JSON, b"", 400, "GATEWAY_REQUEST"),
        ("POST", "/v1/token", JSON, b"\xff\xfe\x00", 400, "GATEWAY_REQUEST"),
        ("POST", "/v1/token", JSON, b"[" * 60_000, 400, "GATEWAY_REQUEST"),
        ("POST", "/v1/token", JSON, b'{"slot": 1}', 400, "GATEWAY_REQUEST"),
        ("POST", "/v1/token", JSON, b" " * (wire.MAX_REQUEST_BYTES + 1), 413, "GATEWAY_TOO_LARGE"),
    ],
)
def test_what_is_no_request(
    served: Served, method: str, path: str, headers: dict[str, str], body: bytes | None, status: int, code: str
) -> None:
    with served.client() as client:
        answer = client.send(method, path, body, headers)
    assert (answer.status, answer.code) == (status, code)
    wire.decode(json.dumps(answer.body).encode(), wire.ErrorAnswer)  # every error has the shape of the protocol


@pytest.mark.parametrize(
    "fields",
    [
        {"surplus": 1},
        {"slot": "1"},
        {"slot": -1},
        {"slot": 2**64},
        {"pin": 12345678},
        {"pin": "1" * 256},
        {"deadline_ms": 0},
        {"deadline_ms": 10**9},
        {"deadline_ms": None},
        {"key_id": ""},
        {"key_id": "%%%"},
        {"family": "certificate"},
        {"data": "A" * 8192},
        {"scheme": "rot13"},
    ],
)
def test_wrong_fields_are_named_and_nothing_is_done(served: Served, fields: dict[str, object]) -> None:
    key = {"family": "key-pair", "key_id": bytes(16), "data": bytes(32), "scheme": "ecdsa-sha256"}
    with served.client() as client:
        answer = client.ask("sign", **{**key, **fields})
        assert (answer.status, answer.code) == (400, "GATEWAY_REQUEST")
        assert "Nothing was done" in answer.body["message"]
        assert client.ask("token").status == 200  # on the same connection


def test_a_chunked_body_is_refused(served: Served) -> None:
    with served.client() as client:
        client.connection.request("POST", "/v1/token", iter([b"{}"]), JSON, encode_chunked=True)
        assert client.connection.getresponse().status == 411


@pytest.mark.parametrize(
    "sent",
    [
        b"\x00" * 1000 + b"\r\n\r\n",
        b"GET\r\n\r\n",
        b"POST /v1/token HTTP/9.9\r\n\r\n",
        b"POST /v1/token HTTP/1.1\r\nContent-Length: -5\r\n\r\n",
        b"POST /v1/token HTTP/1.1\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n",
        b"POST /v1/token HTTP/1.1\r\nX: " + b"x" * 100_000 + b"\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ],
)
def test_what_is_no_http(served: Served, sent: bytes) -> None:
    with _connect(served) as connection:
        connection.sendall(sent)
        try:
            answered = connection.recv(65536)
        except ConnectionError:
            answered = b""
    assert answered == b"" or answered.startswith(b"HTTP/1.1 4")
    assert b"Traceback" not in answered
    assert "Traceback" not in served.gateway.log


@pytest.mark.slow
def test_half_a_request_does_not_hold_a_thread_for_ever(served: Served) -> None:
    """Half a handshake, half a header, half a body; more of it in tests/serving/test_arriving.py."""
    assert wire.MAX_REQUEST_BYTES <= BODY_BYTES  # of a longer one the rest is not waited for
    half_tls = socket.create_connection((served.gateway.address, served.gateway.port))
    half_tls.sendall(b"\x16\x03\x01\x02\x00\x01")
    half_header, half_body = _connect(served), _connect(served)
    half_header.sendall(b"POST /v1/token HTTP/1.1\r\nHost: x\r\n")
    half_body.sendall(
        b"POST /v1/token HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{"
    )
    with served.client() as client:
        assert client.ask("token").status == 200  # meanwhile others are served
    for connection in (half_tls, half_header):
        connection.settimeout(60)
        assert _end_of(connection) == b""
    half_body.settimeout(60)
    assert _end_of(half_body).startswith(b"HTTP/1.1 408 ")
    assert "Traceback" not in served.gateway.log


def test_a_deadline_ends_the_call_and_its_host(failing: Served) -> None:
    key_id = secrets.token_bytes(16)
    with failing.client() as client:
        assert client.ask("generate", key_id=key_id, **KEY).status == 200
        before = failing.gateway.hosts()
        failing.faulty.order("C_GenerateKeyPair before hang")
        late = client.ask("generate", key_id=secrets.token_bytes(16), **KEY, deadline_ms=1500)
        assert (late.status, late.code, late.body["outcome_unknown"]) == (504, "DEADLINE", True)
        failing.faulty.behave()
        assert set(before) - set(failing.gateway.hosts())  # the host that hung is gone
        assert client.ask("read", family="key-pair", key_id=key_id).status == 200


def test_a_request_waits_for_others_no_longer_than_its_own_deadline(failing: Served) -> None:
    with failing.client() as client, failing.client() as second:
        client.ask("token")
        failing.faulty.order("C_GenerateKeyPair before wait")
        slow = threading.Thread(target=client.ask, args=("generate",), kwargs={"key_id": bytes(16), **KEY})
        slow.start()
        wait_for(lambda: "C_GenerateKeyPair" in failing.faulty.calls(), 60, "the slow call")
        busy = second.ask("probe", deadline_ms=300)
        assert (busy.status, busy.code) == (503, "TOKEN_BUSY")
        failing.faulty.behave()
        slow.join(60)
        assert second.ask("read", family="key-pair", key_id=bytes(16)).body["key"] is not None


def test_nothing_is_begun_for_a_client_that_has_left(failing: Served) -> None:
    """A creation that waited for its turn while its client gave up would be an orphan."""
    late_id = secrets.token_bytes(16)
    with failing.client() as client:
        client.ask("token")
        failing.faulty.order("C_GenerateKeyPair before wait")
        slow = threading.Thread(target=client.ask, args=("generate",), kwargs={"key_id": bytes(16), **KEY})
        slow.start()
        wait_for(lambda: "C_GenerateKeyPair" in failing.faulty.calls(), 60, "the slow call")
        leaving = Client(failing.gateway, failing.token.pin, timeout_s=1)
        with pytest.raises(TimeoutError):
            leaving.ask("generate", key_id=late_id, **KEY)
        leaving.connection.close()
        failing.faulty.behave()
        slow.join(60)
        wait_for(lambda: "The client" in failing.gateway.log or "generate" in _last(failing), 60, "the line")
        assert client.ask("read", family="key-pair", key_id=late_id).body["key"] is None


def test_a_gateway_that_was_frozen_does_not_make_up_for_it(fresh: Served) -> None:
    """What a client sent while every process stood still, and gave up on, is not done afterwards."""
    late_id = secrets.token_bytes(16)
    fresh.gateway.start()
    with fresh.client() as client:
        leaving = Client(fresh.gateway, fresh.token.pin, timeout_s=60)
        for either in (client, leaving):
            assert either.ask("token").status == 200
        fresh.gateway.freeze()
        leaving.connection.sock.settimeout(0.5)
        with pytest.raises(TimeoutError):
            leaving.ask("generate", key_id=late_id, **KEY)
        leaving.connection.close()
        fresh.gateway.thaw()
        wait_for(lambda: " generate " in fresh.gateway.log, 60, "the line of the late request")
        assert " 400 GATEWAY_REQUEST" in fresh.gateway.log
        assert client.ask("read", family="key-pair", key_id=late_id).body["key"] is None


def test_sigterm_lets_a_request_end_and_leaves_nothing(failing: Served) -> None:
    for _ in range(5):
        assert health(failing.gateway) == 204  # connections that have ended must not count
    silent = socket.create_connection((failing.gateway.address, failing.gateway.port), 60)
    with failing.client() as client:
        assert client.ask("token").status == 200
        processes = [failing.gateway.worker, *failing.gateway.hosts()]
        failing.faulty.order("C_GenerateKeyPair before wait")
        statuses: list[int] = []

        def ask() -> None:
            statuses.append(client.ask("generate", key_id=bytes(16), **KEY).status)

        slow = threading.Thread(target=ask)
        slow.start()
        wait_for(lambda: "C_GenerateKeyPair" in failing.faulty.calls(), 60, "the slow call")
        assert failing.gateway.process
        failing.gateway.process.terminate()
        wait_for(lambda: not _accepts(failing), 60, "the end of listening")
        failing.faulty.behave()
        slow.join(60)
        assert statuses == [200]
    assert _end_of(silent) == b""  # nobody waits for the one who says nothing
    assert failing.gateway.process.wait(60) == 0
    wait_for(lambda: not any(map(alive, processes)), 60, "the end of the hosts")


@pytest.mark.parametrize("victim", ["master", "worker"])
def test_kill_9_leaves_no_host_behind(fresh: Served, victim: str) -> None:
    fresh.gateway.start()
    with fresh.client() as client:
        assert client.ask("token").status == 200
    hosts = fresh.gateway.hosts()
    assert hosts
    assert fresh.gateway.process
    os.kill(fresh.gateway.process.pid if victim == "master" else fresh.gateway.worker, signal.SIGKILL)
    wait_for(lambda: not any(map(alive, hosts)), 60, "the end of the hosts")
    if victim == "worker":  # gunicorn starts another
        with fresh.client() as client:
            assert client.ask("token").status == 200


def test_sighup_starts_a_new_worker(fresh: Served) -> None:
    fresh.gateway.start()
    former = fresh.gateway.worker
    assert fresh.gateway.process
    fresh.gateway.process.send_signal(signal.SIGHUP)
    wait_for(lambda: not alive(former), 60, "the end of the former worker")
    with fresh.client() as client:
        assert client.ask("token").status == 200


def _connect(served: Served) -> ssl.SSLSocket:
    plain = socket.create_connection((served.gateway.address, served.gateway.port), 60)
    return tls(served.gateway).wrap_socket(plain, server_hostname="localhost")


def _end_of(connection: socket.socket) -> bytes:
    """Return what comes before the other side closes."""
    received = b""
    try:
        while chunk := connection.recv(65536):
            received += chunk
    except (ConnectionError, ssl.SSLError):
        pass
    connection.close()
    return received


def _accepts(served: Served) -> bool:
    try:
        socket.create_connection((served.gateway.address, served.gateway.port), 60).close()
    except ConnectionRefusedError:
        return False
    return True


def _last(served: Served) -> str:
    lines = [line for line in served.gateway.log.splitlines() if " 400 GATEWAY_REQUEST" in line]
    return lines[-1] if lines else ""
