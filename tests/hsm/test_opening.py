"""A group as one device: pki.db, or the connections in their order. Real tokens."""

import secrets
from collections.abc import Callable

import pytest

from console.lib.errors import UnavailableError
from hsm.connections.opening import open_group, served_by
from hsm.device.base import KeySpec
from hsm.device.objects import KeyFamily, Operation
from hsm.models.groups import Connection, ConnectionState, Group
from hsm.models.tokens import PinTrial
from tests.fixtures.groups import add_connection, by_module
from tests.fixtures.softhsm import SoftHsm, Token

SIGNING = frozenset({Operation.SIGN, Operation.VERIFY})


def test_the_keys_of_a_software_group_are_in_the_key_store(software_group: Group) -> None:  # AMB-17
    key_id = secrets.token_bytes(16)
    with open_group(software_group) as device:
        device.generate(key_id, KeySpec.EC_P256, "payroll", SIGNING)
        assert device.read(KeyFamily.KEY_PAIR, key_id)
        assert served_by(device) == "pki.db"


def test_a_module_on_this_server_serves_a_group(
    module_group: Callable[..., Group], token: Token, softhsm: SoftHsm
) -> None:  # AMB-42
    group = module_group(token)
    key_id = secrets.token_bytes(16)
    with open_group(group) as device:
        device.generate(key_id, KeySpec.EC_P256, "in the slot", SIGNING)
        assert served_by(device) == f"{token.module} slot {token.slot_id}"
    assert key_id.hex() in softhsm.objects(token).lower()
    assert Connection.objects.get().state == ConnectionState.CONNECTED


def test_the_next_connection_serves_when_the_first_one_leads_nowhere(
    module_group: Callable[..., Group], token: Token, softhsm: SoftHsm
) -> None:  # GRP-27
    lost = softhsm.token("lost")
    group = module_group(lost)
    add_connection(group, by_module(token))
    softhsm.remove(lost)
    with open_group(group) as device:
        assert device.probe().serial == token.serial
        assert served_by(device).endswith(f"slot {token.slot_id}")
    first, second = group.connections.all()
    assert (first.state, first.fault_code) == (ConnectionState.NOT_CONNECTED, "TOKEN_NOT_FOUND")
    assert second.state == ConnectionState.CONNECTED


def test_a_wrong_pin_is_tried_once_and_the_next_connection_serves(
    module_group: Callable[..., Group], token: Token, softhsm: SoftHsm
) -> None:
    standby = softhsm.token("standby")
    group = module_group(token, pin="9999")
    add_connection(group, by_module(standby))
    for _ in range(2):
        with open_group(group) as device:
            assert device.probe().serial == standby.serial
    first = group.connections.all()[0]
    assert first.pin_rejected_version == first.pin_version
    assert first.fault_code == "CKR_PIN_INCORRECT"
    assert PinTrial.objects.filter(pin_version=first.pin_version, state="rejected").count() == 1


def test_without_a_connection_that_can_serve_each_fault_is_named(
    module_group: Callable[..., Group], token: Token
) -> None:  # GRP-37
    group = module_group(token, pin="")
    group.connections.update(pin_version="", sealed_pin=None)
    with pytest.raises(UnavailableError, match="has no PIN yet") as caught, open_group(group):
        pass
    assert token.module in caught.value.message


def test_a_slot_that_was_renumbered_is_found_by_label_and_serial(
    module_group: Callable[..., Group], token: Token
) -> None:
    group = module_group(token)
    group.connections.update(slot="99", label=token.label, serial=token.serial)
    with open_group(group) as device:
        assert device.probe().slot_id == token.slot_id
