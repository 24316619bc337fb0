"""What the console makes of a peer that is no good gateway, or of none. One fake peer, every way to be bad."""

import os
import secrets
import socket
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from typing import Any

import pytest

from hsm.device import gatewaywire as wire
from hsm.device.base import KeySpec
from hsm.device.errors import DeadlineError, DeviceError, ErrorClass
from hsm.device.gateway import GatewayDevice
from hsm.device.gatewaycalls import GatewayAddress
from hsm.device.objects import KeyFamily
from tests.fixtures.certificates import Authority, Issued
from tests.hsm.device.fakepeer import Exchange, HangUp, fake_peer
from tests.hsm.device.peercalls import (
    DEADLINE_S,
    GOOD,
    PIN,
    SHORT_S,
    SIGNS,
    TOKEN,
    device_of,
    good,
    says,
)

pytestmark = pytest.mark.usefixtures("no_links")


def limit_of(code: str) -> float:
    return SHORT_S if code == "GATEWAY_DEADLINE" else DEADLINE_S


def nothing_for_ever(exchange: Exchange) -> None:
    exchange.given_up.wait(60)
    raise HangUp


def dribble_head(exchange: Exchange) -> None:
    for byte in b"HTTP/1.1 200 OK\r\nX-Patience: " + b"a" * 10_000:
        exchange.send(bytes([byte]))
        if exchange.given_up.wait(0.1):
            raise HangUp


def dribble_body(exchange: Exchange) -> None:
    exchange.answer(b"", length=10_000)
    while not exchange.given_up.wait(0.1):
        exchange.send(b" ")
    raise HangUp


def half(exchange: Exchange) -> None:
    exchange.answer(GOOD[: len(GOOD) // 2], length=len(GOOD))
    raise HangUp


def hang_up(_exchange: Exchange) -> None:
    raise HangUp


def hundred_megabytes(exchange: Exchange) -> None:
    exchange.answer(b" " * 1_000_000, length=100_000_000)
    exchange.send(b" " * 99_000_000)


def endless(exchange: Exchange) -> None:
    exchange.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    while True:
        exchange.send(b"10000\r\n" + b" " * 0x10000 + b"\r\n")


def writes(data: bytes) -> Callable[[Exchange], None]:
    def behave(exchange: Exchange) -> None:
        exchange.send(data)
        raise HangUp

    return behave


def redirect(exchange: Exchange) -> None:
    exchange.send(b"HTTP/1.1 302 Found\r\nLocation: https://127.0.0.1:1/v1/token\r\nContent-Length: 0\r\n\r\n")


UNKNOWN_FIELD = GOOD[:-1] + b',"more":1}'
OTHER_VERSION = wire.encode(wire.TokenAnswer(token=TOKEN, is_open=False, protocol=2))

FAULTS = {
    "garbage": (writes(b"\x00\x01garbage\r\n\r\n"), "GATEWAY_GARBAGE"),
    "a page for people": (says(b"<html>It works!</html>"), "GATEWAY_GARBAGE"),
    "an error page": (says(b"<html>Not here</html>", "404 Not Found"), "GATEWAY_GARBAGE"),
    "no text": (says(b'{"token": "\xff\xfe"}'), "GATEWAY_GARBAGE"),
    "deep": (says(b"[" * 100_000), "GATEWAY_GARBAGE"),
    "an unknown field": (says(UNKNOWN_FIELD), "GATEWAY_GARBAGE"),
    "a missing field": (says(b'{"is_open":false,"protocol":1}'), "GATEWAY_GARBAGE"),
    "no length": (writes(b"HTTP/1.1 200 OK\r\n\r\n" + GOOD), "GATEWAY_GARBAGE"),
    "a long head": (writes(b"HTTP/1.1 200 OK\r\nA: " + b"a" * 100_000), "GATEWAY_GARBAGE"),
    "another version": (says(OTHER_VERSION), "GATEWAY_VERSION"),
    "half an answer": (half, "GATEWAY_LOST"),
    "an end": (hang_up, "GATEWAY_LOST"),
    "100 MB": (hundred_megabytes, "GATEWAY_TOO_LARGE"),
    "no end": (endless, "GATEWAY_GARBAGE"),
    "redirect": (redirect, "GATEWAY_REDIRECT"),
    "nothing for ever": (nothing_for_ever, "GATEWAY_DEADLINE"),
    "dribbled head": (dribble_head, "GATEWAY_DEADLINE"),
    "dribbled body": (dribble_body, "GATEWAY_DEADLINE"),
}


@pytest.mark.parametrize(("behaviour", "code"), FAULTS.values(), ids=FAULTS)
def test_a_bad_peer(authority: Authority, leaf: Issued, behaviour: Callable[[Exchange], None], code: str) -> None:
    with fake_peer(behaviour, leaf) as peer:
        device = device_of(peer, authority, limit_of(code))
        began = time.monotonic()
        with pytest.raises(DeviceError) as caught:
            device.token()
        assert time.monotonic() - began < limit_of(code) + 1
        assert (caught.value.code, caught.value.error_class) == (code, ErrorClass.DEVICE)
        assert caught.value.next_step
        assert not caught.value.outcome_unknown
        assert PIN.reveal_bytes().decode() not in repr(caught.value.args) + caught.value.message
        # the next call starts anew
        peer.behaviour = good
        assert device_of(peer, authority).token().label == "hsm"


@pytest.mark.parametrize(("behaviour", "code"), FAULTS.values(), ids=FAULTS)
def test_a_bad_answer_to_a_creation_leaves_the_outcome_open(
    authority: Authority, leaf: Issued, behaviour: Callable[[Exchange], None], code: str
) -> None:
    if code == "GATEWAY_VERSION":
        code = "GATEWAY_GARBAGE"  # it is no answer to this operation
    with fake_peer(behaviour, leaf) as peer, pytest.raises(DeviceError) as caught:
        device_of(peer, authority, limit_of(code)).generate(secrets.token_bytes(16), KeySpec.EC_P256, "k", SIGNS)
    assert (caught.value.code, caught.value.outcome_unknown) == (code, True)
    assert len(peer.requests) == 1


def test_a_deadline_is_an_error_of_its_own_class(authority: Authority, leaf: Issued) -> None:
    with fake_peer(nothing_for_ever, leaf) as peer, pytest.raises(DeadlineError):
        device_of(peer, authority, SHORT_S).token()


def test_the_gateway_hears_less_than_the_deadline(authority: Authority, leaf: Issued) -> None:
    with fake_peer(good, leaf) as peer:
        device_of(peer, authority).token()
    request = wire.decode(peer.requests[0].partition(b"\r\n\r\n")[2], wire.Token)
    assert 0.5 * DEADLINE_S * 1000 < request.deadline_ms < DEADLINE_S * 1000
    assert b"13572468" not in peer.requests[0].partition(b"\r\n\r\n")[0]


# Connections that are kept


def test_a_connection_is_kept(authority: Authority, leaf: Issued) -> None:
    with fake_peer(good, leaf) as peer:
        for _ in range(5):
            device_of(peer, authority).token()
        assert (peer.connections, len(peer.requests)) == (1, 5)


class HangsUpLater:
    """Answers so many requests on a connection, then reads one more and hangs up."""

    def __init__(self, good_ones: int, body: bytes) -> None:
        self.left = good_ones
        self.body = body

    def __call__(self, exchange: Exchange) -> None:
        if self.left == 0:
            self.left = -1
            raise HangUp
        self.left -= 1
        exchange.answer(self.body)


def test_a_kept_connection_that_dies_under_a_request_is_replaced(authority: Authority, leaf: Issued) -> None:
    with fake_peer(HangsUpLater(1, GOOD), leaf) as peer:
        device = device_of(peer, authority)
        device.token()
        assert device.token().label == "hsm"
        assert (peer.connections, len(peer.requests)) == (2, 3)


def test_a_creation_that_dies_with_a_kept_connection_is_not_sent_again(authority: Authority, leaf: Issued) -> None:
    with fake_peer(HangsUpLater(1, GOOD), leaf) as peer:
        device = device_of(peer, authority)
        device.token()
        with pytest.raises(DeviceError) as caught:
            device.generate(secrets.token_bytes(16), KeySpec.EC_P256, "k", SIGNS)
        assert (caught.value.code, caught.value.outcome_unknown) == ("GATEWAY_LOST", True)
        assert len(peer.requests) == 2


def test_a_kept_connection_that_the_gateway_closed_is_not_used(authority: Authority, leaf: Issued) -> None:
    def once(exchange: Exchange) -> None:
        exchange.answer(GOOD)
        raise HangUp

    with fake_peer(once, leaf) as peer:
        device = device_of(peer, authority)
        device.token()
        wait_for_close(device)
        with pytest.raises(DeviceError) as caught:  # an answer to `token` is none to `generate`
            device.generate(secrets.token_bytes(16), KeySpec.EC_P256, "k", SIGNS)
        assert caught.value.code == "GATEWAY_GARBAGE"
        assert (peer.connections, len(peer.requests)) == (2, 2)


def wait_for_close(device: GatewayDevice) -> None:
    """Wait until the end of the kept connection has come through."""
    from hsm.device.gatewaycalls import _link

    (connection,) = _link(device._calls._address)._idle
    deadline = time.monotonic() + 60
    while connection.alive():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def echo(exchange: Exchange) -> None:
    """Sign by giving the data back."""
    asked = wire.decode(exchange.request.partition(b"\r\n\r\n")[2], wire.Sign)
    exchange.answer(wire.encode(wire.SignAnswer(signature=asked.data)))


def test_threads_get_their_own_answers(authority: Authority, leaf: Issued) -> None:
    with fake_peer(echo, leaf) as peer, ThreadPoolExecutor(8) as threads:
        device = device_of(peer, authority)

        def one(_number: int) -> bool:
            data = secrets.token_bytes(32)
            return device.sign_data(KeyFamily.KEY_PAIR, bytes(16), data, "ecdsa-sha256") == data

        assert all(threads.map(one, range(400)))
        assert peer.connections <= 8


def test_a_forked_process_uses_connections_of_its_own(authority: Authority, leaf: Issued) -> None:
    with fake_peer(good, leaf) as peer:
        device = device_of(peer, authority)
        device.token()
        child = os.fork()
        if child == 0:
            os._exit(0 if device.token().label == "hsm" else 1)
        assert os.waitpid(child, 0)[1] == 0
        assert device.token().label == "hsm"
        assert (peer.connections, len(peer.requests)) == (2, 3)


# Nobody there


def test_a_name_that_does_not_resolve(authority: Authority) -> None:
    with pytest.raises(DeviceError) as caught:
        GatewayDevice(GatewayAddress("gateway.invalid", 4442, 1, ca_pem=authority.pem), PIN, "1", 20.0).token()
    assert caught.value.code == "GATEWAY_NAME"


def test_a_port_on_which_nobody_listens(authority: Authority, leaf: Issued) -> None:
    with fake_peer(good, leaf) as peer:
        pass
    began = time.monotonic()
    with pytest.raises(DeviceError) as caught:
        device_of(peer, authority).generate(secrets.token_bytes(16), KeySpec.EC_P256, "k", SIGNS)
    assert (caught.value.code, caught.value.outcome_unknown) == ("GATEWAY_REFUSED", False)
    assert time.monotonic() - began < 0.5


class Silent:
    """A port that takes connections and never says a word, or says one that is not TLS."""

    def __init__(self, word: bytes = b"") -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._word = word
        self._taken: list[socket.socket] = []
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        with suppress(OSError):
            while True:
                taken, _address = self._listener.accept()
                self._taken.append(taken)
                taken.sendall(self._word)

    def close(self) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        for sock in (self._listener, *self._taken):
            sock.close()


@pytest.mark.parametrize(
    ("word", "code"), [(b"", "GATEWAY_UNREACHABLE"), (b"HTTP/1.1 400 Bad Request\r\n\r\n", "GATEWAY_TLS")]
)
def test_a_port_that_speaks_no_tls(authority: Authority, word: bytes, code: str) -> None:
    with closing(Silent(word)) as silent:
        device = GatewayDevice(GatewayAddress("127.0.0.1", silent.port, 1, authority.pem), PIN, "1", SHORT_S)
        began = time.monotonic()
        with pytest.raises(DeviceError) as caught:
            device.generate(secrets.token_bytes(16), KeySpec.EC_P256, "k", SIGNS)
        assert (caught.value.code, caught.value.outcome_unknown) == (code, False)
        assert time.monotonic() - began < SHORT_S + 1


def test_a_name_service_that_does_not_answer(authority: Authority, monkeypatch: pytest.MonkeyPatch) -> None:
    over = threading.Event()
    lookup = socket.getaddrinfo

    def hangs(*arguments: Any, **options: Any) -> Any:
        if options.get("flags") != socket.AI_NUMERICHOST:
            over.wait(60)
        return lookup(*arguments, **options)

    monkeypatch.setattr(socket, "getaddrinfo", hangs)
    began = time.monotonic()
    with pytest.raises(DeviceError) as caught:
        GatewayDevice(GatewayAddress("localhost", 4442, 1, ca_pem=authority.pem), PIN, "1", SHORT_S).token()
    over.set()
    assert caught.value.code == "GATEWAY_NAME"
    assert time.monotonic() - began < SHORT_S + 1
