"""One gateway in front of one token, for all tests of a module that leave both as they are."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fixtures.gateway import Gateways, RunningGateway
from tests.fixtures.softhsm import Token
from tests.hsm.device.conftest import folder
from tests.hsm.device.tokens import SOFTHSM, TokenFarm


class Served:
    """A token behind a running gateway."""

    def __init__(self, place: Path, gateways: Gateways) -> None:
        self.farm = TokenFarm(place)
        made = self.farm.make("served")
        slot_id = int(made.serial[-8:], 16) & 0x7FFF_FFFF  # as SoftHSM2 numbers its slots (docs/hsm.md §2)
        self.token = Token(SOFTHSM, made.label, made.pin, "", made.serial, slot_id)
        self.gateways = gateways
        self.gateway: RunningGateway = gateways.start(SOFTHSM, slots=[slot_id], environment=self.farm.environment)


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    with folder() as place, Gateways(place / "gateways") as gateways:
        yield Served(place, gateways)
