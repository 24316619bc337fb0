"""A login that stays between blocks: when the token sees the PIN, and when the host is replaced."""

import os
import signal
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager

import pytest

from hsm.device.base import KeySpec, Pin, SignatureScheme
from hsm.device.errors import DeadlineError, DeviceError, PinError
from hsm.device.opening import forget_token, is_kept, keep_token
from hsm.device.pool import pool
from hsm.device.token import TokenDevice
from tests.hsm.device.tokens import Token, TokenFarm
from tests.hsm.device.waiting import wait_until
from tests.shim.faulty import FaultyModule

pytestmark = pytest.mark.usefixtures("fresh_hosts")

Kept = Callable[..., AbstractContextManager[TokenDevice]]
ECDSA = SignatureScheme.ECDSA_SHA256


@pytest.fixture
def token(farm: TokenFarm) -> Token:
    return farm.make("alpha")


@pytest.fixture
def kept(module: FaultyModule, token: Token, farm: TokenFarm) -> Kept:
    """Keep the token through the shim, which counts the calls."""
    environment = {**farm.environment, **module.environment}

    def keep(
        pin: str = token.pin, pin_version: str = "1", deadline_s: float = 20
    ) -> AbstractContextManager[TokenDevice]:
        return keep_token(
            str(module.path),
            label=token.label,
            serial=token.serial,
            pin=Pin(pin),
            pin_version=pin_version,
            deadline_s=deadline_s,
            environment=environment,
        )

    return keep


def test_the_pin_is_shown_once(kept: Kept, module: FaultyModule, key_id: bytes) -> None:
    with kept() as device:
        device.generate_key_pair(key_id, KeySpec.EC_P256, "k")
    module.forget_calls()
    for _ in range(3):
        with kept() as device:
            device.sign(key_id, bytes(32), ECDSA)
    assert "C_Login" not in module.calls()
    assert "C_Initialize" not in module.calls()


def test_a_lost_host_is_replaced_with_the_pin_of_the_next_block(
    kept: Kept, module: FaultyModule, key_id: bytes
) -> None:
    with kept() as device:
        device.generate_key_pair(key_id, KeySpec.EC_P256, "k")
    (seat,) = pool.seats()
    assert seat.pid is not None
    os.kill(seat.pid, signal.SIGKILL)
    wait_until(lambda: not seat.running)
    module.forget_calls()
    with kept() as device:
        device.sign(key_id, bytes(32), ECDSA)
    assert module.calls().count("C_Login") == 1


def test_another_version_of_the_pin_is_tried_in_a_host_of_its_own(kept: Kept, token: Token) -> None:
    with kept():
        pass
    for _ in range(2):
        with pytest.raises(PinError) as caught, kept(pin="wrong-pin", pin_version="2"):
            pass
    assert caught.value.code == "PIN_REJECTED_BEFORE"
    with kept() as device:
        assert device.token().label == token.label


def test_the_deadline_is_for_the_whole_block(kept: Kept, module: FaultyModule, key_id: bytes) -> None:
    with kept() as device:
        device.generate_key_pair(key_id, KeySpec.EC_P256, "k")
    module.order("C_SignInit before hang")
    began = time.monotonic()
    with kept(deadline_s=1) as device:
        for _ in range(3):
            with pytest.raises(DeadlineError):
                device.sign(key_id, bytes(32), ECDSA)
    assert time.monotonic() - began < 10
    module.behave()
    with kept() as device:
        assert device.sign(key_id, bytes(32), ECDSA)


def test_one_thread_at_a_time(kept: Kept, key_id: bytes) -> None:
    with kept() as device:
        device.generate_key_pair(key_id, KeySpec.EC_P256, "k")
    failures: list[DeviceError] = []

    def work() -> None:
        for _ in range(20):
            try:
                with kept() as mine:
                    mine.sign(key_id, bytes(32), ECDSA)
            except DeviceError as error:
                failures.append(error)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert len([seat for seat in pool.seats() if seat.running]) == 1


def test_whoever_waits_too_long_is_told_so(kept: Kept) -> None:
    codes: list[str] = []

    def wait() -> None:
        try:
            with kept(deadline_s=0.2):
                pass
        except DeviceError as error:
            codes.append(error.code)

    with kept():
        thread = threading.Thread(target=wait)
        thread.start()
        thread.join()
    assert codes == ["TOKEN_BUSY"]


def test_a_login_is_forgotten(kept: Kept, module: FaultyModule, token: Token, farm: TokenFarm) -> None:
    with kept():
        pass
    name = {"label": token.label, "serial": token.serial, "pin_version": "1"}
    environment = {**farm.environment, **module.environment}
    assert is_kept(str(module.path), **name, environment=environment)
    forget_token(str(module.path), **name, environment=environment)
    assert not is_kept(str(module.path), **name, environment=environment)
    module.forget_calls()
    with kept():
        pass
    assert module.calls().count("C_Login") == 1


def test_a_call_that_is_broken_off_does_not_leave_its_answer_to_the_next(
    kept: Kept, key_id: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    with kept() as device:
        spki_der = device.generate_key_pair(key_id, KeySpec.EC_P256, "k")
        (seat,) = pool.seats()
        host = seat._host
        assert host is not None
        # As when a time limit of the worker strikes while the answer is on its way.
        monkeypatch.setattr(host, "_receive", interrupted)
        with pytest.raises(KeyboardInterrupt):
            device.sign(key_id, bytes(32), ECDSA)
        record = device.find(key_id)
        assert record is not None
        assert record.spki_der == spki_der


def interrupted(_deadline: float) -> None:
    raise KeyboardInterrupt
