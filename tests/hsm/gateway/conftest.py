"""One SoftHSM2 folder and one gateway for the tests that spoil neither; a fault-injecting module for those that do."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.fixtures.gateway import Gateways, RunningGateway
from tests.hsm.device.conftest import folder
from tests.hsm.device.tokens import SOFTHSM, Token, TokenFarm
from tests.hsm.gateway.asking import Client
from tests.shim import faulty
from tests.shim.faulty import FaultyModule


@dataclass(frozen=True)
class Served:
    """A gateway with the token that it serves."""

    gateway: RunningGateway
    token: Token
    farm: TokenFarm
    module: FaultyModule | None = None

    def client(self, pin: str | None = None) -> Client:
        return Client(self.gateway, self.token.pin if pin is None else pin)

    @property
    def faulty(self) -> FaultyModule:
        assert self.module
        return self.module


def slot_of(token: Token) -> int:
    """Return the slot that SoftHSM2 gives a token: the low 31 bits of its serial number (docs/hsm.md §2)."""
    return int(token.serial[-8:], 16) & 0x7FFF_FFFF


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    """Serve for the whole module; tests use keys of random ids and leave its PINs alone."""
    with folder() as place, Gateways(place / "gateways") as gateways:
        farm = TokenFarm(place)
        token = farm.make("served")
        yield Served(gateways.start(SOFTHSM, slots=[slot_of(token)], environment=farm.environment), token, farm)


@pytest.fixture
def fresh() -> Iterator[Served]:
    """Prepare a gateway for one test, not started yet; its token has seen no PIN."""
    with folder() as place, Gateways(place / "gateways") as gateways:
        farm = TokenFarm(place)
        token = farm.make("fresh")
        yield Served(gateways.prepare(SOFTHSM, slots=[slot_of(token)], environment=farm.environment), token, farm)


@pytest.fixture(scope="session")
def faulty_library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Compile the shim."""
    return faulty.build(faulty.SOURCE, tmp_path_factory.mktemp("shim") / "libfaulty.so")


@pytest.fixture
def failing(faulty_library: Path, tmp_path: Path) -> Iterator[Served]:
    """Start a gateway on a module that misbehaves on order."""
    with folder() as place, Gateways(place / "gateways") as gateways:
        module = FaultyModule(faulty_library, tmp_path, SOFTHSM)
        farm = TokenFarm(place)
        token = farm.make("failing")
        environment = {**farm.environment, **module.environment}
        yield Served(
            gateways.start(str(faulty_library), slots=[slot_of(token)], environment=environment), token, farm, module
        )
