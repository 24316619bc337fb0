"""What a gateway reports: its errors by their codes, its refusals once, a test of a connection."""

from collections.abc import Callable

import pytest

from hsm.device import gatewaywire as wire
from hsm.device.base import KeySpec, Pin
from hsm.device.codes import CODES
from hsm.device.errors import DeviceError, ErrorClass, KeyExistsError, PinError
from hsm.device.gateway import GatewayDevice
from hsm.device.gateway import test as try_connection
from hsm.device.gatewaycalls import GatewayAddress
from hsm.device.objects import KeyFamily
from tests.fixtures.certificates import Authority, Issued
from tests.hsm.device.fakepeer import Exchange, fake_peer
from tests.hsm.device.peercalls import DEADLINE_S, PIN, SIGNS, address_of, device_of, good, says

pytestmark = pytest.mark.usefixtures("no_links")


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
