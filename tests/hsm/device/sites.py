"""A token with gateways before it, as the console reaches them."""

import socket
from contextlib import nullcontext
from dataclasses import dataclass, replace

from hsm.device.base import Pin
from hsm.device.failover import Health
from hsm.device.gateway import GatewayDevice
from hsm.device.gatewaycalls import GatewayAddress
from hsm.device.group import GroupDevice, Member
from hsm.device.opening import find_token
from tests.fixtures.gateway import Gateways, RunningGateway
from tests.hsm.device.tokens import SOFTHSM, Token, TokenFarm


@dataclass
class Site:
    """One token and one gateway; `beside` starts another gateway before the same token."""

    farm: TokenFarm
    gateways: Gateways
    token: Token
    gateway: RunningGateway

    @classmethod
    def make(cls, farm: TokenFarm, gateways: Gateways, label: str) -> "Site":
        token = farm.make(label)
        return cls(farm, gateways, token, _start(farm, gateways, token))

    def beside(self, module: str = SOFTHSM, environment: dict[str, str] | None = None) -> "Site":
        """Start another gateway, perhaps with another module before the same token."""
        return replace(self, gateway=_start(self.farm, self.gateways, self.token, module, environment or {}))

    def address(self, port: int = 0) -> GatewayAddress:
        """Return the gateway's address, or that of something in front of it."""
        return GatewayAddress(
            self.gateway.address,
            port or self.gateway.port,
            self.gateway.slot,
            self.gateway.ca_pem,
            label=self.token.label,
            serial=self.token.serial,
        )

    def device(self, port: int = 0, deadline_s: float = 60) -> GatewayDevice:
        return GatewayDevice(self.address(port), Pin(self.token.pin), "1", deadline_s)

    def member(self, name: str, port: int = 0, deadline_s: float = 60) -> Member:
        return member(name, self.device(port, deadline_s))

    def group_behind_a_dead_member(self) -> GroupDevice:
        """Return a group whose first connection leads nowhere."""
        with socket.create_server(("127.0.0.1", 0)) as nobody:
            port: int = nobody.getsockname()[1]
        return GroupDevice([self.member("dead", port), self.member("alive")], health=Health())


def member(name: str, device: GatewayDevice) -> Member:
    return Member(name, lambda: nullcontext(device), name)


def _start(
    farm: TokenFarm, gateways: Gateways, token: Token, module: str = SOFTHSM, environment: dict[str, str] | None = None
) -> RunningGateway:
    slot = find_token(SOFTHSM, serial=token.serial, environment=farm.environment).slot_id
    return gateways.start(module, slots=[slot], environment={**farm.environment, **(environment or {})})
