"""Modules that hang, crash or fail at the wrong moment, told to by the shim `tests/shim/faulty.c`."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager

import pytest

from hsm.device.base import KeySpec, Pin, SignatureScheme
from hsm.device.errors import (
    BreakerOpenError,
    DeadlineError,
    DeviceError,
    ErrorClass,
    HostLostError,
    KeyExistsError,
    ModuleError,
    TokenNotFoundError,
)
from hsm.device.opening import list_tokens, open_token
from hsm.device.pool import pool
from hsm.device.token import TokenDevice
from tests.hsm.device.tokens import Token, TokenFarm
from tests.hsm.device.waiting import alive, wait_until
from tests.shim.faulty import FaultyModule

pytestmark = pytest.mark.usefixtures("fresh_hosts")

DEADLINE_S = 3
Opened = Callable[[], AbstractContextManager[TokenDevice]]
DIGEST = bytes(32)
ECDSA = SignatureScheme.ECDSA_SHA256


@pytest.fixture
def token(farm: TokenFarm) -> Token:
    return farm.make("alpha")


@pytest.fixture
def environment(farm: TokenFarm, module: FaultyModule) -> dict[str, str]:
    return {**farm.environment, **module.environment}


@pytest.fixture
def opened(module: FaultyModule, token: Token, environment: dict[str, str]) -> Iterator[Opened]:
    """Open the token through the shim."""

    def open_it() -> AbstractContextManager[TokenDevice]:
        return open_token(
            str(module.path),
            label=token.label,
            serial=token.serial,
            pin=Pin(token.pin),
            pin_version="1",
            deadline_s=DEADLINE_S,
            environment=environment,
        )

    yield open_it
    module.behave()


def host_pids() -> list[int]:
    return [seat.pid for seat in pool.seats() if seat.pid is not None]


# Making a key: is it there or not?


@pytest.mark.parametrize(("action", "error"), [("hang", DeadlineError), ("crash", HostLostError)])
def test_lost_before_the_key_was_made(
    opened: Opened, module: FaultyModule, key_id: bytes, action: str, error: type[DeviceError]
) -> None:
    module.order(f"C_GenerateKeyPair before {action}")
    with opened() as device:
        with pytest.raises(error) as caught:
            device.generate_key_pair(key_id, KeySpec.EC_P256, "k")
        assert caught.value.outcome_unknown
        module.behave()
        assert device.find(key_id) is None
        device.generate_key_pair(key_id, KeySpec.EC_P256, "k")


@pytest.mark.parametrize(("action", "error"), [("hang", DeadlineError), ("crash", HostLostError)])
def test_lost_after_the_key_was_made(
    opened: Opened, module: FaultyModule, key_id: bytes, action: str, error: type[DeviceError]
) -> None:
    module.order(f"C_GenerateKeyPair after {action}")
    with opened() as device:
        with pytest.raises(error) as caught:
            device.generate_key_pair(key_id, KeySpec.EC_P256, "k")
        assert caught.value.outcome_unknown
        module.behave()
        record = device.find(key_id)
        assert record is not None
        assert record.has_private
        with pytest.raises(KeyExistsError):
            device.generate_key_pair(key_id, KeySpec.EC_P256, "k")
        assert module.calls().count("C_GenerateKeyPair") == 1
        device.destroy(key_id)
        assert list(device.list_keys()) == []


@pytest.mark.parametrize("value", ["0x05", "0x30", "0x101", "0xB3", "0xD1", "0x80000001"])
def test_an_error_after_the_key_was_made_leaves_the_outcome_open(
    opened: Opened, module: FaultyModule, key_id: bytes, value: str
) -> None:
    module.order(f"C_GenerateKeyPair after return {value}")
    with opened() as device:
        with pytest.raises(DeviceError) as caught:
            device.generate_key_pair(key_id, KeySpec.EC_P256, "k")
        assert caught.value.outcome_unknown
        assert module.calls().count("C_GenerateKeyPair") == 1
        module.behave()
        assert device.find(key_id) is not None


@pytest.mark.parametrize("value", ["0x05", "0x30", "0xD1", "0x80000001"])
def test_an_error_before_the_key_was_made_is_final(
    opened: Opened, module: FaultyModule, key_id: bytes, value: str
) -> None:
    module.order(f"C_GenerateKeyPair before return {value}")
    with opened() as device:
        with pytest.raises(DeviceError) as caught:
            device.generate_key_pair(key_id, KeySpec.EC_P256, "k")
        assert not caught.value.outcome_unknown
        module.behave()
        assert device.find(key_id) is None


def test_a_lost_session_is_replaced_once_when_no_key_was_made(
    opened: Opened, module: FaultyModule, key_id: bytes
) -> None:
    with opened() as device:
        module.order("C_GenerateKeyPair before return 0xB3 once")
        device.generate_key_pair(key_id, KeySpec.EC_P256, "k")
        assert len(list(device.list_keys())) == 1


@pytest.mark.slow
@pytest.mark.parametrize("function", ["C_Login", "C_SignInit", "C_Sign", "C_GetAttributeValue"])
def test_trouble_after_the_key_was_made_leaves_the_outcome_open(
    opened: Opened, module: FaultyModule, key_id: bytes, function: str
) -> None:
    with opened() as device:
        # The first call after generation is C_GetAttributeValue; the proof on a fresh login needs the others.
        module.order(f"{function} before hang")
        with pytest.raises(DeviceError) as caught:
            device.generate_key_pair(key_id, KeySpec.EC_P256, "k")
        assert caught.value.outcome_unknown
        module.behave()
        assert device.find(key_id) is not None


def test_a_key_that_could_leave_the_token_is_not_kept(opened: Opened, module: FaultyModule, key_id: bytes) -> None:
    with opened() as device:
        module.order("C_GenerateKeyPair before expose")
        with pytest.raises(DeviceError) as caught:
            device.generate_key_pair(key_id, KeySpec.EC_P256, "k")
        assert (caught.value.code, caught.value.outcome_unknown) == ("KEY_NOT_PROTECTED", False)
        assert list(device.list_keys()) == []


@pytest.mark.slow
@pytest.mark.parametrize("action", ["hang", "crash", "return 0x05"])
def test_a_module_that_cannot_be_reset_is_loaded_anew(
    opened: Opened, module: FaultyModule, key_id: bytes, action: str
) -> None:
    with opened() as device:
        module.order(f"C_Finalize before {action} once")
        device.generate_key_pair(key_id, KeySpec.EC_P256, "k")
        assert device.sign(key_id, DIGEST, ECDSA)


# Everything else may be asked again


@pytest.mark.parametrize("action", ["hang", "crash"])
@pytest.mark.parametrize("function", ["C_SignInit", "C_Sign"])
def test_signing_that_hangs_or_crashes(
    opened: Opened, module: FaultyModule, key_id: bytes, function: str, action: str
) -> None:
    with opened() as device:
        device.generate_key_pair(key_id, KeySpec.EC_P256, "k")
        (before,) = host_pids()
        module.order(f"{function} before {action}")
        began = time.monotonic()
        with pytest.raises(DeviceError) as caught:
            device.sign(key_id, DIGEST, ECDSA)
        assert time.monotonic() - began < DEADLINE_S + 60
        assert (caught.value.error_class, caught.value.outcome_unknown) == (ErrorClass.DEVICE, False)
        assert not alive(before)
        module.behave()
        assert device.sign(key_id, DIGEST, ECDSA)


@pytest.mark.parametrize("value", ["0x60", "0x82", "0x90", "0x91", "0xB0", "0xB3", "0x101"])
def test_a_lost_session_is_replaced_once_for_signing(
    opened: Opened, module: FaultyModule, key_id: bytes, value: str
) -> None:
    with opened() as device:
        device.generate_key_pair(key_id, KeySpec.EC_P256, "k")
        module.order(f"C_SignInit before return {value} once")
        assert device.sign(key_id, DIGEST, ECDSA)
        module.order(f"C_SignInit before return {value}")
        module.forget_calls()
        with pytest.raises(DeviceError) as caught:
            device.sign(key_id, DIGEST, ECDSA)
        assert caught.value.error_class is ErrorClass.RETRY_NEW_SESSION
        assert module.calls().count("C_SignInit") == 2


@pytest.mark.parametrize(("value", "code"), [("0x05", "CKR_GENERAL_ERROR"), ("0x30", "CKR_DEVICE_ERROR")])
def test_a_failing_device_is_not_asked_again(
    opened: Opened, module: FaultyModule, key_id: bytes, value: str, code: str
) -> None:
    with opened() as device:
        device.generate_key_pair(key_id, KeySpec.EC_P256, "k")
        module.forget_calls()
        module.order(f"C_SignInit before return {value}")
        with pytest.raises(DeviceError) as caught:
            device.sign(key_id, DIGEST, ECDSA)
        assert (caught.value.code, module.calls().count("C_SignInit")) == (code, 1)


def test_a_listing_that_breaks_off_gives_nothing(opened: Opened, module: FaultyModule, key_id: bytes) -> None:
    with opened() as device:
        device.generate_key_pair(key_id, KeySpec.EC_P256, "k")
        for order in ("C_FindObjects after return 0x30", "C_GetAttributeValue before return 0x30"):
            module.order(order)
            with pytest.raises(DeviceError):
                device.list_keys()
            module.behave()
        assert len(list(device.list_keys())) == 1


def test_a_destroy_that_fails_can_be_asked_again(opened: Opened, module: FaultyModule, key_id: bytes) -> None:
    with opened() as device:
        device.generate_key_pair(key_id, KeySpec.EC_P256, "k")
        module.order("C_DestroyObject after crash once")
        with pytest.raises(HostLostError):
            device.destroy(key_id)
        record = device.find(key_id)
        assert record is not None
        assert (record.has_private, record.has_public) == (False, True)
        device.destroy(key_id)
        assert device.find(key_id) is None


def test_a_module_that_says_it_destroyed_a_key_and_did_not(opened: Opened, module: FaultyModule, key_id: bytes) -> None:
    with opened() as device:
        device.generate_key_pair(key_id, KeySpec.EC_P256, "k")
        module.order("C_DestroyObject before return 0")
        with pytest.raises(DeviceError) as caught:
            device.destroy(key_id)
        assert caught.value.code == "CKR_FUNCTION_FAILED"


def test_the_self_test_names_the_line_that_fails(opened: Opened, module: FaultyModule) -> None:
    with opened() as device:
        module.order("C_SignInit before return 0x70")
        *good, last = device.self_test((KeySpec.EC_P256,))
        assert [line.ok for line in good] == [True]
        assert (last.ok, last.code) == (False, "CKR_MECHANISM_INVALID")
        assert last.next_step
        module.behave()
        assert list(device.list_keys()) == []


# Processes


def test_a_killed_host_is_replaced(opened: Opened, key_id: bytes) -> None:
    with opened() as device:
        device.generate_key_pair(key_id, KeySpec.EC_P256, "k")
        (pid,) = host_pids()
        os.kill(pid, signal.SIGKILL)
        wait_until(lambda: not any(seat.running for seat in pool.seats()))
        assert device.sign(key_id, DIGEST, ECDSA)
        assert host_pids() != [pid]


def test_a_host_killed_in_a_call(opened: Opened, module: FaultyModule, key_id: bytes) -> None:
    with opened() as device:
        device.generate_key_pair(key_id, KeySpec.EC_P256, "k")
        module.order("C_SignInit before return 0x30 once")
        with pytest.raises(DeviceError):
            device.sign(key_id, DIGEST, ECDSA)
        assert host_pids() == []  # an error of the device ends its host
        assert device.sign(key_id, DIGEST, ECDSA)


def test_a_token_that_keeps_failing_is_left_alone(
    opened: Opened, module: FaultyModule, key_id: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    with opened() as device:
        device.generate_key_pair(key_id, KeySpec.EC_P256, "k")
        module.order("C_SignInit before return 0x30")
        for _ in range(3):
            with pytest.raises(DeviceError, match="error of the device"):
                device.sign(key_id, DIGEST, ECDSA)
        module.behave()
        module.forget_calls()
        with pytest.raises(BreakerOpenError):
            device.sign(key_id, DIGEST, ECDSA)
        assert module.calls() == []
        monkeypatch.setattr(pool.breaker, "_clock", lambda: time.monotonic() + 31)
        assert device.sign(key_id, DIGEST, ECDSA)


# Loading


@pytest.mark.parametrize(
    "order",
    [
        "load before hang",
        *(pytest.param(f"{name} before hang", marks=pytest.mark.slow) for name in ("C_Initialize", "C_GetInfo")),
    ],
)
def test_a_module_that_hangs_on_load(module: FaultyModule, environment: dict[str, str], order: str) -> None:
    module.order(order)
    began = time.monotonic()
    with pytest.raises(DeadlineError) as caught:
        list_tokens(str(module.path), deadline_s=DEADLINE_S, environment=environment)
    assert time.monotonic() - began < DEADLINE_S + 60
    assert "Loading" in caught.value.message
    assert host_pids() == []


@pytest.mark.parametrize("order", ["load before crash", "C_Initialize before crash"])
def test_a_module_that_crashes_on_load(module: FaultyModule, environment: dict[str, str], order: str) -> None:
    module.order(order)
    with pytest.raises(ModuleError) as caught:
        list_tokens(str(module.path), environment=environment)
    assert caught.value.code == "MODULE_CRASHED_ON_LOAD"
    assert "SIGSEGV" in caught.value.message


def test_a_module_that_cannot_be_initialised(module: FaultyModule, environment: dict[str, str]) -> None:
    module.order("C_Initialize before return 0x05")
    with pytest.raises(DeviceError) as caught:
        list_tokens(str(module.path), environment=environment)
    assert caught.value.code == "CKR_GENERAL_ERROR"


def test_a_token_that_goes_between_login_and_listing(
    opened: Opened, module: FaultyModule, farm: TokenFarm, token: Token, key_id: bytes
) -> None:
    with opened() as device:
        device.generate_key_pair(key_id, KeySpec.EC_P256, "k")
        farm.remove(token)
        for act in (lambda: list(device.list_keys()), lambda: device.find(key_id), lambda: device.destroy(key_id)):
            with pytest.raises(DeviceError):
                act()
    with pytest.raises(TokenNotFoundError), opened():
        pass
