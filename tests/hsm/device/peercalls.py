"""Calls of the console to a fake peer, and what a good one says."""

from collections.abc import Callable
from typing import Any

import pytest

from hsm.device import gatewaywire as wire
from hsm.device.base import Pin, TokenFlag
from hsm.device.errors import DeviceError, ErrorClass
from hsm.device.gateway import GatewayDevice
from hsm.device.gatewaycalls import GatewayAddress
from hsm.device.objects import Operation
from tests.fixtures.certificates import Authority, Issued
from tests.hsm.device.fakepeer import Exchange, FakePeer

PIN = Pin("13572468")
DEADLINE_S = 20.0
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


def address_of(peer: FakePeer, authority: Authority | Issued, **changes: Any) -> GatewayAddress:
    return GatewayAddress(**{"host": "127.0.0.1", "port": peer.port, "slot": 1, "ca_pem": authority.pem, **changes})


def device_of(
    peer: FakePeer, authority: Authority | Issued, deadline_s: float = DEADLINE_S, **changes: Any
) -> GatewayDevice:
    return GatewayDevice(address_of(peer, authority, **changes), PIN, "1", deadline_s)


def good(exchange: Exchange) -> None:
    exchange.answer(GOOD)


def says(body: bytes, status: str = "200 OK") -> Callable[[Exchange], None]:
    return lambda exchange: exchange.answer(body, status)


def check_refused(device: GatewayDevice, code: str, peer: FakePeer) -> None:
    with pytest.raises(DeviceError) as caught:
        device.token()
    assert (caught.value.code, caught.value.error_class) == (code, ErrorClass.DEVICE)
    assert not peer.requests
