"""What fails over to another connection, and how long one that failed rests."""

import pytest

from hsm.device.codes import CODES, error_for
from hsm.device.errors import ErrorClass
from hsm.device.failover import LONGEST_PAUSE_S, Verdict, pause_s, verdict


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("CKR_DEVICE_ERROR", Verdict.ELSEWHERE),
        ("CKR_TOKEN_NOT_PRESENT", Verdict.ELSEWHERE),
        ("DEADLINE", Verdict.ELSEWHERE),
        ("MODULE_CRASHED", Verdict.ELSEWHERE),
        ("MODULE_NOT_FOUND", Verdict.ELSEWHERE),
        ("BREAKER_OPEN", Verdict.ELSEWHERE),
        ("GATEWAY_SLOT", Verdict.ELSEWHERE),
        ("TOKEN_NOT_FOUND", Verdict.ELSEWHERE),
        ("CKR_PIN_LOCKED", Verdict.ELSEWHERE),
        ("GATEWAY_PIN_UNVERIFIED_WAIT", Verdict.ELSEWHERE),
        ("CKR_PIN_INCORRECT", Verdict.NEVER_AGAIN),
        ("KEY_MISSING", Verdict.ANSWERED),
        ("KEY_EXISTS", Verdict.ANSWERED),
        ("CKR_ATTRIBUTE_READ_ONLY", Verdict.ANSWERED),
        ("CKR_KEY_FUNCTION_NOT_PERMITTED", Verdict.ANSWERED),
        ("CKR_OPERATION_ACTIVE", Verdict.ANSWERED),
        ("GATEWAY_REQUEST", Verdict.ANSWERED),
    ],
)
def test_verdicts(code: str, expected: Verdict) -> None:
    assert verdict(error_for(code)) is expected


def test_every_fault_of_a_connection_lets_another_one_serve() -> None:
    for code, facts in CODES.items():
        if code.startswith("GATEWAY_") and facts.error_class is not ErrorClass.CALLER:
            assert verdict(error_for(code)) is Verdict.ELSEWHERE, code


def test_pauses_grow_to_a_minute() -> None:
    for failures in range(1, 100):
        assert 0.8 * min(60, 5 * 2 ** (failures - 1)) <= pause_s(failures) <= LONGEST_PAUSE_S
