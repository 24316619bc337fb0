"""Which token is meant, and when a login must not be tried: decided before any PIN."""

import pytest

from hsm.device.base import TokenFlag, TokenInfo
from hsm.errors import TokenChoiceError
from hsm.placement import Wanted, choose, refuse_unusable

USABLE = frozenset({TokenFlag.INITIALIZED, TokenFlag.USER_PIN_INITIALIZED, TokenFlag.LOGIN_REQUIRED})


def token(label: str = "alpha", slot_id: int = 1, flags: frozenset[TokenFlag] = USABLE) -> TokenInfo:
    return TokenInfo("/m.so", slot_id, label, f"{slot_id:016x}", "maker", "model", "1.0", flags)


def wanted(label: str | None = None, slot_id: int | None = None) -> Wanted:
    return Wanted("Root", "/m.so", label, slot_id)


ALPHA, BETA, TWIN = token(), token("beta", 2), token("alpha", 3)
EMPTY = token("", 9, frozenset())


@pytest.mark.parametrize(
    ("tokens", "want", "chosen"),
    [
        ([ALPHA, BETA, EMPTY], wanted("alpha"), ALPHA),
        ([ALPHA, BETA], wanted(slot_id=2), BETA),
        ([ALPHA, BETA], wanted("beta", 2), BETA),
        ([ALPHA, TWIN], wanted("alpha", 3), TWIN),
    ],
)
def test_the_token_that_is_meant(tokens: list[TokenInfo], want: Wanted, chosen: TokenInfo) -> None:
    assert choose(tokens, want) is chosen


@pytest.mark.parametrize(
    ("tokens", "want", "code", "said"),
    [
        ([ALPHA], wanted("omega"), "token-not-found", "HSMTokenName"),
        ([], wanted("alpha"), "token-not-found", "HSMTokenName"),
        ([ALPHA], wanted(slot_id=7), "token-not-found", "HSMTokenID"),
        ([ALPHA, TWIN], wanted("alpha"), "token-ambiguous", "slots 1, 3"),
        ([ALPHA, BETA], wanted("alpha", 2), "token-mismatch", "“beta”"),  # AMB-13
        ([ALPHA, TWIN, BETA], wanted("alpha", 2), "token-ambiguous", "2 tokens"),
        ([EMPTY], wanted(slot_id=9), "CKR_TOKEN_NOT_RECOGNIZED", "not initialised"),
        ([ALPHA], wanted(), "token-not-named", "Neither"),
    ],
)
def test_anything_else_is_refused(tokens: list[TokenInfo], want: Wanted, code: str, said: str) -> None:
    with pytest.raises(TokenChoiceError, match=said) as caught:
        choose(tokens, want)
    assert caught.value.code == code


@pytest.mark.parametrize("proven", [True, False])
@pytest.mark.parametrize(
    ("flag", "code"),
    [
        (TokenFlag.USER_PIN_LOCKED, "CKR_PIN_LOCKED"),
        (TokenFlag.ERROR_STATE, "CKR_DEVICE_ERROR"),
        (TokenFlag.WRITE_PROTECTED, "CKR_TOKEN_WRITE_PROTECTED"),
        (TokenFlag.USER_PIN_TO_BE_CHANGED, "CKR_PIN_EXPIRED"),
    ],
)
def test_flags_that_forbid_a_login(flag: TokenFlag, code: str, proven: bool) -> None:
    with pytest.raises(TokenChoiceError, match="No PIN was tried") as caught:
        refuse_unusable(token(flags=USABLE | {flag}), proven=proven)
    assert caught.value.code == code
    assert caught.value.next_step


def test_a_token_without_a_pin_sends_to_the_security_officer() -> None:  # ROL-07
    with pytest.raises(TokenChoiceError) as caught:
        refuse_unusable(token(flags=frozenset({TokenFlag.INITIALIZED})), proven=False)
    assert "security officer" in caught.value.next_step


def test_the_last_try_is_left_to_a_pin_that_was_right_before() -> None:
    last = token(flags=USABLE | {TokenFlag.USER_PIN_COUNT_LOW, TokenFlag.USER_PIN_FINAL_TRY})
    refuse_unusable(last, proven=True)
    with pytest.raises(TokenChoiceError, match="would lock it"):
        refuse_unusable(last, proven=False)


def test_a_wrong_pin_before_is_no_reason_to_refuse() -> None:
    refuse_unusable(token(flags=USABLE | {TokenFlag.USER_PIN_COUNT_LOW}), proven=False)
