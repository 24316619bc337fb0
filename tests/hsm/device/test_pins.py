"""A PIN is tried once, by a module that knows nothing yet, and never again when it was refused."""

import pickle
from collections.abc import Callable
from contextlib import AbstractContextManager

import pytest

from hsm.device.base import Pin, TokenFlag
from hsm.device.errors import DeadlineError, DeviceError, ErrorClass, HostLostError, PinError
from hsm.device.opening import list_tokens, open_token
from hsm.device.token import TokenDevice
from tests.hsm.device.tokens import SOFTHSM, Token, TokenFarm
from tests.shim.faulty import FaultyModule

pytestmark = pytest.mark.usefixtures("fresh_hosts")

Opened = AbstractContextManager[TokenDevice]
Refused = Callable[..., DeviceError]
LOCKED, FINAL_TRY, COUNT_LOW, TO_BE_CHANGED = 0x40000, 0x20000, 0x10000, 0x80000  # PKCS#11 v2.40 §3.3


@pytest.fixture
def token(farm: TokenFarm) -> Token:
    return farm.make("alpha")


@pytest.fixture
def environment(farm: TokenFarm, module: FaultyModule) -> dict[str, str]:
    return {**farm.environment, **module.environment}


@pytest.fixture
def refused(module: FaultyModule, token: Token, environment: dict[str, str]) -> Refused:
    """Try a PIN that does not open the token, and return the error."""

    def try_it(pin: str | bytes, version: str = "1") -> DeviceError:
        with (
            pytest.raises(DeviceError) as caught,
            open_token(
                str(module.path),
                label=token.label,
                serial=token.serial,
                pin=Pin(pin),
                pin_version=version,
                deadline_s=4,
                environment=environment,
            ),
        ):
            pass
        return caught.value

    return try_it


def test_a_wrong_pin_is_tried_once(refused: Refused, module: FaultyModule) -> None:
    error = refused("99999999")
    assert isinstance(error, PinError)
    assert (error.code, error.error_class) == ("CKR_PIN_INCORRECT", ErrorClass.OPERATOR)
    assert module.calls().count("C_Login") == 1
    again = refused("99999999")
    assert isinstance(again, PinError)
    assert again.code == "PIN_REJECTED_BEFORE"
    assert module.calls().count("C_Login") == 1


def test_a_new_version_is_tried(refused: Refused, module: FaultyModule) -> None:
    refused("99999999", "1")
    assert refused("88888888", "2").code == "CKR_PIN_INCORRECT"
    assert module.calls().count("C_Login") == 2


def test_a_refused_pin_does_not_stop_the_right_one(refused: Refused, token: Token, farm: TokenFarm) -> None:
    refused("99999999", "1")
    with opened(farm, token, version="2") as device:
        assert list(device.list_keys()) == []


@pytest.mark.parametrize(
    ("pin", "code"),
    [("", "PIN_EMPTY"), ("9" * 256, "PIN_LENGTH"), (b"\xff\xfe1234", "PIN_NOT_TEXT")],
)
def test_a_pin_that_cannot_be_right_is_not_tried(
    refused: Refused, module: FaultyModule, pin: str | bytes, code: str
) -> None:
    error = refused(pin)
    assert isinstance(error, PinError)
    assert error.code == code
    assert "C_Login" not in module.calls()


@pytest.mark.parametrize("pin", ["1", "9" * 255])
def test_a_pin_of_an_odd_length_is_refused_by_the_token(refused: Refused, pin: str) -> None:
    assert isinstance(refused(pin), PinError)


def test_a_locked_token_is_not_tried(refused: Refused, module: FaultyModule, environment: dict[str, str]) -> None:
    module.order(f"C_GetTokenInfo after flags {LOCKED}")
    assert refused("13572468").code == "PIN_LOCKED"
    assert "C_Login" not in module.calls()
    (token, *_) = list_tokens(str(module.path), environment=environment)
    assert TokenFlag.USER_PIN_LOCKED in token.flags


def test_the_flags_before_a_lock_are_shown(module: FaultyModule, environment: dict[str, str], token: Token) -> None:
    module.order(f"C_GetTokenInfo after flags {FINAL_TRY | COUNT_LOW | TO_BE_CHANGED}")
    (shown, *_) = list_tokens(str(module.path), environment=environment)
    assert shown.label == token.label
    assert {
        TokenFlag.USER_PIN_FINAL_TRY,
        TokenFlag.USER_PIN_COUNT_LOW,
        TokenFlag.USER_PIN_TO_BE_CHANGED,
    } <= shown.flags


@pytest.mark.parametrize(
    ("value", "code"),
    [
        ("0xA1", "CKR_PIN_INVALID"),
        ("0xA2", "CKR_PIN_LEN_RANGE"),
        ("0xA3", "CKR_PIN_EXPIRED"),
        ("0xA4", "CKR_PIN_LOCKED"),
    ],
)
def test_what_a_token_says_about_a_pin(refused: Refused, module: FaultyModule, value: str, code: str) -> None:
    module.order(f"C_Login before return {value}")
    error = refused("13572468")
    assert isinstance(error, PinError)
    assert error.code == code
    assert module.calls().count("C_Login") == 1


@pytest.mark.parametrize("value", ["0xA3", "0xA4", "0x102"])
def test_a_pin_works_again_once_the_security_officer_has_acted(
    refused: Refused, module: FaultyModule, token: Token, environment: dict[str, str], value: str
) -> None:
    module.order(f"C_Login before return {value}")
    assert isinstance(refused(token.pin), PinError)
    module.behave()
    with open_token(
        str(module.path), label="alpha", pin=Pin(token.pin), pin_version="1", environment=environment
    ) as it:
        assert list(it.list_keys()) == []


@pytest.mark.parametrize(("action", "error"), [("hang", DeadlineError), ("crash", HostLostError)])
def test_a_login_that_is_lost_is_not_tried_again(
    refused: Refused, module: FaultyModule, action: str, error: type[DeviceError]
) -> None:
    module.order(f"C_Login before {action}")
    assert isinstance(refused("13572468"), error)
    assert module.calls().count("C_Login") == 1


@pytest.mark.parametrize("value", ["0x05", "0xB3", "0x101"])
def test_a_login_that_fails_otherwise_is_not_tried_again(refused: Refused, module: FaultyModule, value: str) -> None:
    module.order(f"C_Login before return {value}")
    assert not isinstance(refused("13572468"), PinError)
    assert module.calls().count("C_Login") == 1


def test_a_token_without_a_user_pin(farm: TokenFarm) -> None:
    farm.tool("--init-token", "--slot-index", "0", "--label", "fresh", "--so-pin", "12345678")
    with pytest.raises(PinError) as caught, opened(farm, Token("fresh", farm.serials()[0], "1234")):
        pass
    assert caught.value.code == "PIN_NOT_SET"


def test_a_pin_changed_on_the_token_is_noticed_by_a_warm_host(farm: TokenFarm, token: Token) -> None:
    with opened(farm, token):
        pass
    farm.change_pin(token, "11223344")
    with pytest.raises(PinError), opened(farm, token):
        pass
    with opened(farm, Token(token.label, token.serial, "11223344"), version="2") as device:
        assert list(device.list_keys()) == []


def test_each_opening_logs_in_and_nested_ones_share_it(
    farm: TokenFarm, token: Token, module: FaultyModule, environment: dict[str, str]
) -> None:
    def open_it() -> Opened:
        return open_token(
            str(module.path),
            label=token.label,
            serial=token.serial,
            pin=Pin(token.pin),
            pin_version="1",
            environment=environment,
        )

    with open_it() as outer:
        with open_it() as inner:
            assert list(inner.list_keys()) == []
        assert list(outer.list_keys()) == []
        assert module.calls().count("C_Login") == 1
    with open_it():
        assert module.calls().count("C_Login") == 2


def test_a_device_does_not_outlive_its_block(farm: TokenFarm, token: Token) -> None:
    with opened(farm, token) as device:
        pass
    with pytest.raises(DeviceError) as caught:
        list(device.list_keys())
    assert caught.value.code == "DEVICE_CLOSED"


def test_a_pin_hides_itself() -> None:
    pin = Pin("13572468")
    assert {repr(pin), str(pin), f"{pin}", f"{pin!r:>3}"} == {"(protected)"}
    with pytest.raises(TypeError):
        pickle.dumps(pin)


def test_the_pin_is_not_in_the_error(refused: Refused) -> None:
    error = refused("98798798")
    chain = [error, error.__cause__, error.__context__]
    assert not any("98798798" in repr(link) + str(vars(link)) for link in chain if link is not None)


def opened(farm: TokenFarm, token: Token, version: str = "1") -> Opened:
    return open_token(
        SOFTHSM,
        label=token.label,
        serial=token.serial,
        pin=Pin(token.pin),
        pin_version=version,
        environment=farm.environment,
    )
