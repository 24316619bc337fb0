"""A gateway serves the slots of its configuration and no other (GRP-41, AMB-18): no other token sees a PIN."""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.fixtures.gateway import Gateways, RunningGateway
from tests.hsm.device.conftest import folder
from tests.hsm.device.tokens import SOFTHSM, Token, TokenFarm
from tests.hsm.gateway.asking import Client
from tests.hsm.gateway.conftest import slot_of


@dataclass(frozen=True)
class Three:
    """Two tokens that are served, and one that is not."""

    gateway: RunningGateway
    one: Token
    two: Token
    hidden: Token
    farm: TokenFarm


@pytest.fixture(scope="module")
def three() -> Iterator[Three]:
    with folder() as place, Gateways(place / "gateways") as gateways:
        farm = TokenFarm(place)
        one, two, hidden = farm.make("one", "11111111"), farm.make("two", "22222222"), farm.make("hidden", "33333333")
        gateway = gateways.start(SOFTHSM, slots=[slot_of(one), slot_of(two)], environment=farm.environment)
        yield Three(gateway, one, two, hidden, farm)


def test_each_slot_has_its_token_and_its_pin(three: Three) -> None:
    for token in (three.one, three.two):
        with Client(three.gateway, token.pin) as client:
            assert client.ask("token", slot=slot_of(token)).body["token"]["label"] == token.label


@pytest.mark.parametrize("named", [False, True])
def test_another_slot_is_refused_without_a_try(three: Three, *, named: bool) -> None:
    hidden = three.hidden
    names = {"label": hidden.label, "serial": hidden.serial} if named else {}
    with Client(three.gateway, hidden.pin) as client:
        answer = client.ask("token", slot=slot_of(hidden), **names)
        assert (answer.status, answer.code) == (404, "GATEWAY_SLOT")
        assert "The PIN was not tried" in answer.body["message"]
    assert not list(three.gateway.state_dir.glob("tried-*"))


def test_a_token_in_another_slot_is_found_by_its_names(three: Three) -> None:
    """Slot numbers shift on some modules when the host starts again."""
    one = three.one
    for shifted in (slot_of(three.two), 4711):
        with Client(three.gateway, one.pin) as client:
            answer = client.ask("token", slot=shifted, label=one.label, serial=one.serial)
            assert answer.status == 200
            assert answer.body["token"]["slot_id"] == slot_of(one)


@pytest.mark.parametrize("names", [{"label": "two"}, {"serial": "0123"}, {"label": "one", "serial": "0123"}])
def test_another_token_than_the_one_that_is_meant_sees_no_pin(three: Three, names: dict[str, str]) -> None:
    with Client(three.gateway, "44444444") as client:
        answer = client.ask("token", slot=slot_of(three.one), **names)
        assert (answer.status, answer.code) == (404, "TOKEN_MISMATCH")
    assert not list(three.gateway.state_dir.glob("tried-*"))


def test_a_token_that_was_removed_and_its_successor(three: Three) -> None:
    with folder() as place, Gateways(place / "gateways") as gateways:
        farm = TokenFarm(place)
        token = farm.make("served")
        gateway = gateways.start(SOFTHSM, slots=[slot_of(token)], environment=farm.environment)
        farm.remove(token)
        with Client(gateway, token.pin) as client:
            answer = client.ask("token")
            assert (answer.status, answer.code, answer.body["error_class"]) == (503, "CKR_TOKEN_NOT_PRESENT", "device")
