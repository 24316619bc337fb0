"""Gateways before one token, to measure on, and the group of their connections as a worker opens it."""

import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from hsm.device.base import Pin
from hsm.device.errors import DeviceError
from hsm.device.failover import Health
from hsm.device.gateway import GatewayDevice
from hsm.device.gatewaycalls import GatewayAddress, close_links
from hsm.device.group import GroupDevice, Member
from hsm.device.opening import close_all, find_token
from tests.fixtures.gateway import Gateways, RunningGateway
from tests.hsm.device.tokens import SOFTHSM, Token, TokenFarm

DEADLINE_S = 5.0


class Clock:
    """A clock that can be put forward, so that a measurement need not wait for pauses to end."""

    def __init__(self) -> None:
        self.skipped = 0.0

    def __call__(self) -> float:
        """Return the time as it is taken to be."""
        return time.monotonic() + self.skipped


@dataclass
class Stage:
    """A token and its gateways."""

    farm: TokenFarm
    token: Token
    gateways: list[RunningGateway]
    clock: Clock

    def device(self, number: int, deadline_s: float = DEADLINE_S) -> GatewayDevice:
        """Return the device behind one gateway."""
        running = self.gateways[number]
        address = GatewayAddress(
            running.address,
            running.port,
            running.slot,
            running.ca_pem,
            label=self.token.label,
            serial=self.token.serial,
        )
        return GatewayDevice(address, Pin(self.token.pin), "1", deadline_s)

    def group(self, deadline_s: float = DEADLINE_S) -> GroupDevice:
        """Return the group of all gateways, in their order."""
        devices = [self.device(number, deadline_s) for number in range(len(self.gateways))]
        members = [_member(f"gateway {number}", device) for number, device in enumerate(devices)]
        return GroupDevice(members, health=Health(self.clock))

    def wait_for(self, number: int) -> None:
        """Wait until a gateway serves the token."""
        device, end = self.device(number), time.monotonic() + 60
        while True:
            try:
                device.probe()
            except DeviceError:
                if time.monotonic() > end:
                    raise
                time.sleep(0.05)
            else:
                return


@contextmanager
def gateways(count: int) -> Iterator[Stage]:
    """Start gateways before a new token in a temporary folder."""
    with TemporaryDirectory() as name, Gateways(Path(name) / "gateways") as started:
        farm = TokenFarm(Path(name))
        token = farm.make("bench")
        slot = find_token(SOFTHSM, serial=token.serial, environment=farm.environment).slot_id
        running = [started.start(SOFTHSM, slots=[slot], environment=farm.environment) for _ in range(count)]
        stage = Stage(farm, token, running, Clock())
        for number in range(count):
            stage.wait_for(number)
        try:
            yield stage
        finally:
            close_links()
            close_all()


def _member(name: str, device: GatewayDevice) -> Member:
    return Member(name, lambda: nullcontext(device), name)
