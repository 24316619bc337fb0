"""What the console makes of a peer that is no good gateway. One fake peer, every way to be bad."""

import os
import secrets
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from datetime import timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization

from hsm.device import gatewaywire as wire
from hsm.device.base import KeySpec, Pin, TokenFlag
from hsm.device.codes import CODES
from hsm.device.errors import DeadlineError, DeviceError, ErrorClass, KeyExistsError, PinError
from hsm.device.gateway import GatewayDevice
from hsm.device.gateway import test as try_connection
from hsm.device.gatewaycalls import GatewayAddress, close_links
from hsm.device.objects import KeyFamily, Operation
from tests.fixtures.certificates import Authority, Issued, self_signed
from tests.hsm.device.fakepeer import Exchange, FakePeer, HangUp, fake_peer

PIN = Pin("13572468")
DEADLINE_S = 20.0
DAY = timedelta(days=1)
SHORT_S = 1.0  # for what ends at its deadline only
SIGNS = frozenset({Operation.SIGN, Operation.VERIFY})
TOKEN = wire.TokenPart(
    module="/usr/lib/hsm.so",
    slot_id=1,
    label="hsm",
    serial="1",
    manufacturer="",
    model="",
    firmware="",
    flags=frozenset({TokenFlag.INITIALIZED}),
)
GOOD = wire.encode(wire.TokenAnswer(token=TOKEN, is_open=False))


@pytest.fixture(autouse=True)
def _no_connections() -> Iterator[None]:
    close_links()
    yield
    close_links()


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority("Test CA")


@pytest.fixture(scope="module")
def leaf(authority: Authority) -> Issued:
    return authority.issue("gateway", ["127.0.0.1", "localhost"])


def address_of(peer: FakePeer, authority: Authority | Issued, **changes: Any) -> GatewayAddress:
    return GatewayAddress(**{"host": "127.0.0.1", "port": peer.port, "slot": 1, "ca_pem": authority.pem, **changes})


def device_of(
    peer: FakePeer, authority: Authority | Issued, deadline_s: float = DEADLINE_S, **changes: Any
) -> GatewayDevice:
    return GatewayDevice(address_of(peer, authority, **changes), PIN, "1", deadline_s)


def limit_of(code: str) -> float:
    return SHORT_S if code == "GATEWAY_DEADLINE" else DEADLINE_S


def good(exchange: Exchange) -> None:
    exchange.answer(GOOD)


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


def says(body: bytes, status: str = "200 OK") -> Callable[[Exchange], None]:
    return lambda exchange: exchange.answer(body, status)


def writes(data: bytes) -> Callable[[Exchange], None]:
    def behave(exchange: Exchange) -> None:
        exchange.send(data)
        raise HangUp

    return behave


def redirect(exchange: Exchange) -> None:
    exchange.send(b"HTTP/1.1 302 Found\r\nLocation: https://127.0.0.1:1/v1/token\r\nContent-Length: 0\r\n\r\n")


def encrypted() -> tuple[str, str]:
    """Return a client certificate whose key needs a passphrase: nobody is asked for it at a terminal."""
    mine = Authority("x").issue("console")
    kept = serialization.BestAvailableEncryption(b"secret")
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, kept)
    return mine.pem, mine.key.private_bytes(*form).decode()


ENCRYPTED = encrypted()
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


# Whose certificate it is (GRP-13, GRP-14, GRP-18, GRP-49)


@pytest.mark.parametrize(
    ("host", "common_name", "san", "code"),
    [
        ("127.0.0.1", "gateway", ("127.0.0.1",), ""),
        ("127.0.0.1", "127.0.0.1", (), ""),
        ("127.0.0.1", "gateway", ("localhost",), "GATEWAY_TLS_NAME"),
        ("127.0.0.1", "127.0.0.1", ("10.0.0.1",), "GATEWAY_TLS_NAME"),
        ("127.0.0.1", "10.0.0.1", (), "GATEWAY_TLS_NAME"),
        ("localhost", "gateway", ("localhost",), ""),
        ("localhost", "localhost", (), ""),
        ("localhost", "localhost", ("other.example",), "GATEWAY_TLS_NAME"),
        ("localhost", "other.example", (), "GATEWAY_TLS_NAME"),
        ("localhost", "gateway", ("127.0.0.1",), "GATEWAY_TLS_NAME"),
    ],
)
def test_validate_host(
    authority: Authority, host: str, common_name: str, san: tuple[str, ...], code: str
) -> None:  # GRP-18
    with fake_peer(good, authority.issue(common_name, san)) as peer:
        device = device_of(peer, authority, host=host)
        if not code:
            assert device.token().label == "hsm"
            return
        with pytest.raises(DeviceError) as caught:
            device.token()
        assert caught.value.code == code
        assert not peer.requests  # the PIN was not sent
        assert device_of(peer, authority, host=host, validate_host=False).token().label == "hsm"


def test_ipv6(authority: Authority) -> None:  # GRP-05
    with fake_peer(good, authority.issue("gateway", ["::1"]), host="::1") as peer:
        assert device_of(peer, authority, host="::1").token().label == "hsm"
        assert device_of(peer, authority, host="[::1]").token().label == "hsm"


def test_an_expired_certificate(authority: Authority) -> None:
    with fake_peer(good, authority.issue("gateway", ["127.0.0.1"], begins=-2 * DAY, lasts=-DAY)) as peer:
        check_refused(device_of(peer, authority), "GATEWAY_TLS_EXPIRED", peer)


def test_another_ca_is_not_trusted(leaf: Issued) -> None:  # GRP-14
    with fake_peer(good, leaf) as peer:
        check_refused(device_of(peer, Authority("Another CA")), "GATEWAY_TLS_UNTRUSTED", peer)


def test_without_a_custom_ca_the_system_decides(authority: Authority, leaf: Issued) -> None:  # GRP-13
    with fake_peer(good, leaf) as peer:
        check_refused(device_of(peer, authority, ca_pem=None), "GATEWAY_TLS_UNTRUSTED", peer)


def test_a_self_signed_certificate_needs_itself_as_custom_ca(authority: Authority) -> None:  # AMB-37
    own = self_signed("gateway", ["127.0.0.1"])
    with fake_peer(good, own) as peer:
        check_refused(device_of(peer, authority), "GATEWAY_TLS_UNTRUSTED", peer)
        assert device_of(peer, own).token().label == "hsm"


def test_a_leaf_may_be_trusted_by_itself(leaf: Issued) -> None:
    with fake_peer(good, leaf) as peer:
        assert device_of(peer, leaf).token().label == "hsm"


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=["1.2", "1.3"])
def test_a_client_certificate(authority: Authority, leaf: Issued, version: ssl.TLSVersion) -> None:  # GRP-17, GRP-49
    client, foreign = authority.issue("console"), Authority("Another CA").issue("console")
    with fake_peer(good, leaf, client_ca=authority, version=version) as peer:
        for mine in (None, foreign):
            check_refused(device_of(peer, authority, **as_client(mine)), "GATEWAY_CLIENT_CERT", peer)
        with pytest.raises(DeviceError) as caught:
            device_of(peer, authority).generate(secrets.token_bytes(16), KeySpec.EC_P256, "k", SIGNS)
        assert (caught.value.code, caught.value.outcome_unknown) == ("GATEWAY_CLIENT_CERT", False)
        assert device_of(peer, authority, **as_client(client)).token().label == "hsm"


def test_an_expired_client_certificate(authority: Authority, leaf: Issued) -> None:
    client = authority.issue("console", begins=-2 * DAY, lasts=-DAY)
    with fake_peer(good, leaf, client_ca=authority) as peer:
        check_refused(device_of(peer, authority, **as_client(client)), "GATEWAY_CLIENT_CERT", peer)


def as_client(mine: Issued | None) -> dict[str, Any]:
    return {} if mine is None else {"client_cert_pem": mine.pem, "client_key": Pin(mine.key_pem)}


def check_refused(device: GatewayDevice, code: str, peer: FakePeer) -> None:
    with pytest.raises(DeviceError) as caught:
        device.token()
    assert (caught.value.code, caught.value.error_class) == (code, ErrorClass.DEVICE)
    assert not peer.requests


@pytest.mark.parametrize("suite", ["ECDHE-ECDSA-AES256-SHA384", "ECDHE-ECDSA-AES128-SHA256"])
def test_other_suites_are_refused(authority: Authority, leaf: Issued, suite: str) -> None:  # TLS-12
    with fake_peer(good, leaf, version=ssl.TLSVersion.TLSv1_2, suites=suite) as peer:
        check_refused(device_of(peer, authority), "GATEWAY_TLS", peer)


@pytest.mark.parametrize(
    "changes",
    [
        {"ca_pem": "no PEM"},
        {"ca_pem": "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"},
        {"client_cert_pem": "no PEM", "client_key": Pin("no PEM")},
        {"client_key": Pin("alone")},
        {"client_cert_pem": ENCRYPTED[0], "client_key": Pin(ENCRYPTED[1])},
        {"host": "https://127.0.0.1"},
        {"host": "127.0.0.1/v1"},
        {"host": "a b"},
        {"host": ""},
        {"port": 0},
        {"port": 65536},
    ],
    ids=" ".join,
)
def test_what_cannot_be_an_address_or_a_certificate(
    authority: Authority, leaf: Issued, changes: dict[str, Any]
) -> None:
    with fake_peer(good, leaf) as peer:
        code = "GATEWAY_ADDRESS" if {"host", "port"} & set(changes) else "GATEWAY_TLS_SETTINGS"
        check_refused(device_of(peer, authority, **changes), code, peer)
        assert peer.connections == 0


def test_a_key_of_another_certificate(authority: Authority, leaf: Issued) -> None:
    one, other = authority.issue("one"), authority.issue("other")
    with fake_peer(good, leaf) as peer:
        device = device_of(peer, authority, client_cert_pem=one.pem, client_key=Pin(other.key_pem))
        check_refused(device, "GATEWAY_TLS_SETTINGS", peer)


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


# What a gateway reports


def reports(
    code: str, status: str, error_class: ErrorClass = ErrorClass.OPERATOR, existing: wire.KeyPart | None = None
) -> Callable[[Exchange], None]:
    said = wire.ErrorAnswer(
        code=code,
        message="It says so.",
        next_step="Do so.",
        error_class=error_class,
        outcome_unknown=False,
        existing=existing,
    )
    return says(wire.encode(said), status)


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("KEY_MISSING", "404 Not Found"),
        ("CKR_DEVICE_ERROR", "503 Service Unavailable"),
        ("GATEWAY_PIN_UNVERIFIED_WAIT", "429 Too Many Requests"),
        ("GATEWAY_SLOT", "404 Not Found"),
        ("DEADLINE", "504 Gateway Timeout"),
    ],
)
def test_a_reported_error_is_the_error_of_its_code(authority: Authority, leaf: Issued, code: str, status: str) -> None:
    with fake_peer(reports(code, status), leaf) as peer, pytest.raises(DeviceError) as caught:
        device_of(peer, authority).read(KeyFamily.KEY_PAIR, bytes(16))
    facts = CODES[code]
    assert (caught.value.code, type(caught.value), caught.value.error_class) == (code, facts.raises, facts.error_class)
    assert caught.value.message == "It says so."


def test_a_vendors_own_code_is_kept(authority: Authority, leaf: Issued) -> None:
    behaviour = reports("CKR_0x80000001", "503 Service Unavailable", error_class=ErrorClass.DEVICE)
    with fake_peer(behaviour, leaf) as peer, pytest.raises(DeviceError) as caught:
        device_of(peer, authority).token()
    assert (caught.value.code, caught.value.error_class) == ("CKR_0x80000001", ErrorClass.DEVICE)


def test_a_refused_pin_is_sent_once(authority: Authority, leaf: Issued) -> None:
    with fake_peer(reports("CKR_PIN_INCORRECT", "403 Forbidden"), leaf) as peer:
        for code in ("CKR_PIN_INCORRECT", "PIN_REJECTED_BEFORE", "PIN_REJECTED_BEFORE"):
            with pytest.raises(PinError) as caught:
                device_of(peer, authority).token()
            assert caught.value.code == code
        assert len(peer.requests) == 1
        peer.behaviour = good
        assert GatewayDevice(address_of(peer, authority), Pin("24681357"), "2", DEADLINE_S).token().label == "hsm"


@pytest.mark.parametrize(("pin", "code"), [(b"", "PIN_EMPTY"), (b"\xff", "PIN_NOT_TEXT"), (b"1" * 256, "PIN_LENGTH")])
def test_a_pin_that_cannot_be_right_is_not_sent(authority: Authority, leaf: Issued, pin: bytes, code: str) -> None:
    with fake_peer(good, leaf) as peer, pytest.raises(PinError) as caught:
        GatewayDevice(address_of(peer, authority), Pin(pin), "1", DEADLINE_S).token()
    assert (caught.value.code, peer.requests) == (code, [])
    assert "connection" in caught.value.next_step


def test_a_key_that_is_there_comes_with_the_refusal(authority: Authority, leaf: Issued) -> None:
    claims = wire.AttributesPart(
        sensitive=True, extractable=False, local=True, never_extractable=True, always_sensitive=True
    )
    part = wire.KeyPart(
        family=KeyFamily.SECRET_KEY, key_id=bytes(16), label="k", key_type="AES", bits=256, spec=KeySpec.AES_256,
        spki_der=None, has_private=True, has_public=False, operations=SIGNS, attributes=claims, modifiable=True,
    )  # fmt: skip
    behaviour = reports("KEY_EXISTS", "409 Conflict", existing=part)
    with fake_peer(behaviour, leaf) as peer, pytest.raises(KeyExistsError) as caught:
        device_of(peer, authority).generate(bytes(16), KeySpec.AES_256, "k", SIGNS)
    assert caught.value.record == wire.object_record(part)
    assert not caught.value.outcome_unknown


def test_a_test_reports_what_is_there(authority: Authority, leaf: Issued) -> None:
    with fake_peer(good, leaf) as peer:
        report = try_connection(address_of(peer, authority), PIN, "1")
    assert report.token.serial == "1"
    assert not report.is_open
    assert 0 < report.latency_ms < 20_000
    assert [request.split()[1] for request in peer.requests] == [b"/v1/token", b"/v1/probe"]


def test_nothing_shows_the_pin_or_the_key(authority: Authority) -> None:
    client = authority.issue("console")
    address = GatewayAddress("127.0.0.1", 1, 1, authority.pem, client.pem, Pin(client.key_pem))
    assert "PRIVATE KEY" not in repr(address)
    assert "13572468" not in repr(vars(GatewayDevice(address, PIN, "1")._calls))
