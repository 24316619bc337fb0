"""The client against a real gateway: who is let in, which token it is, and the PIN."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from hsm.device.base import Pin
from hsm.device.errors import DeviceError, PinError, TokenNotFoundError
from hsm.device.gateway import GatewayDevice
from hsm.device.gateway import test as try_connection
from hsm.device.gatewaycalls import GatewayAddress, close_links
from hsm.device.opening import find_token
from tests.fixtures.certificates import Authority, Issued
from tests.fixtures.gateway import Gateways
from tests.hsm.device.conftest import folder
from tests.hsm.device.sites import Site
from tests.hsm.device.tokens import SOFTHSM, TokenFarm


@pytest.fixture(scope="module")
def clients() -> Authority:
    return Authority("Consoles")


@pytest.fixture(scope="module")
def client(clients: Authority) -> Issued:
    return clients.issue("console")


@pytest.fixture(scope="module")
def place() -> Iterator[Path]:
    with folder() as made:
        yield made


@pytest.fixture(scope="module")
def closed(shared_farm: TokenFarm, place: Path, clients: Authority) -> Iterator[Site]:
    """Start a gateway that asks for client certificates, before one of two tokens."""
    ca_file = place / "clients.pem"
    ca_file.write_text(clients.pem)
    token = shared_farm.make("closed")
    slot = find_token(SOFTHSM, serial=token.serial, environment=shared_farm.environment).slot_id
    with Gateways(place / "gateways") as gateways:
        gateway = gateways.start(SOFTHSM, slots=[slot], ca_file=ca_file, environment=shared_farm.environment)
        yield Site(shared_farm, gateways, token, gateway)


@pytest.fixture
def address(closed: Site, client: Issued) -> Iterator[GatewayAddress]:
    close_links()
    yield replace(closed.address(), client_cert_pem=client.pem, client_key=Pin(client.key_pem))
    close_links()


def test_both_sides_prove_who_they_are(closed: Site, address: GatewayAddress) -> None:  # GRP-17, GRP-49
    report = try_connection(address, Pin(closed.token.pin), "1", deadline_s=60)
    assert (report.token.label, report.token.serial, report.is_open) == ("closed", closed.token.serial, False)
    for changes in (
        {"client_cert_pem": None, "client_key": None},
        {"client_cert_pem": (foreign := Authority("Others").issue("x")).pem, "client_key": Pin(foreign.key_pem)},
    ):
        with pytest.raises(DeviceError) as caught:
            try_connection(replace(address, **changes), Pin(closed.token.pin), "1", deadline_s=60)
        assert caught.value.code == "GATEWAY_CLIENT_CERT"


def test_the_system_does_not_trust_the_gateways_ca(closed: Site, address: GatewayAddress) -> None:  # GRP-13
    with pytest.raises(DeviceError) as caught:
        try_connection(replace(address, ca_pem=None), Pin(closed.token.pin), "1", deadline_s=60)
    assert caught.value.code == "GATEWAY_TLS_UNTRUSTED"


def test_a_slot_that_is_not_served(closed: Site, address: GatewayAddress) -> None:  # GRP-41
    elsewhere = replace(address, slot=address.slot + 1, label="", serial="")
    with pytest.raises(TokenNotFoundError) as caught:
        try_connection(elsewhere, Pin(closed.token.pin), "1", deadline_s=60)
    assert caught.value.code == "GATEWAY_SLOT"


def test_another_token_than_the_one_that_is_meant(closed: Site, address: GatewayAddress) -> None:
    with pytest.raises(TokenNotFoundError) as caught:
        try_connection(replace(address, serial="0" * 16), Pin(closed.token.pin), "1", deadline_s=60)
    assert caught.value.code == "TOKEN_MISMATCH"


def test_a_wrong_pin_is_tried_once(shared_farm: TokenFarm, place: Path) -> None:
    with Gateways(place / "pins") as gateways:
        site = Site.make(shared_farm, gateways, "pins")
        right, wrong = Pin(site.token.pin), Pin("87654321")
        GatewayDevice(site.address(), right, "1").token()
        codes = [refusal(site, wrong, version) for version in ("2", "2", "3")]
        assert codes[:2] == ["CKR_PIN_INCORRECT", "PIN_REJECTED_BEFORE"]
        assert codes[2] == "PIN_REJECTED_BEFORE"  # by the gateway: the same PIN under another version
        assert refusal(site, Pin("11223344"), "4") == "GATEWAY_PIN_UNVERIFIED_WAIT"
        assert GatewayDevice(site.address(), right, "1").token().label == "pins"


def refusal(site: Site, pin: Pin, version: str) -> str:
    with pytest.raises(PinError) as caught:
        GatewayDevice(site.address(), pin, version).token()
    assert "connection" in caught.value.next_step or caught.value.code == "GATEWAY_PIN_UNVERIFIED_WAIT"
    return caught.value.code
