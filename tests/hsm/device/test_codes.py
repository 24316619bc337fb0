"""Return values and their facts: every one is there, and every exception of python-pkcs11 finds its own."""

import re

import pkcs11
import pkcs11.exceptions
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pkcs11.exceptions import PKCS11Error

from hsm.device.ckr import code_of
from hsm.device.codes import CODES, error_for
from hsm.device.errors import DeviceError, ErrorClass, PinError

EXCEPTIONS = [
    kind
    for kind in vars(pkcs11.exceptions).values()
    if isinstance(kind, type) and issubclass(kind, PKCS11Error) and kind is not PKCS11Error
]
# docs/hsm.md §7: what is done about it
CLASSES = {
    ErrorClass.CALLER: "ATTRIBUTE_READ_ONLY TEMPLATE_INCONSISTENT MECHANISM_INVALID KEY_SIZE_RANGE DATA_LEN_RANGE "
    "DOMAIN_PARAMS_INVALID FUNCTION_NOT_SUPPORTED WRAPPED_KEY_INVALID SIGNATURE_INVALID",
    ErrorClass.OPERATOR: "PIN_INCORRECT PIN_LOCKED PIN_EXPIRED USER_PIN_NOT_INITIALIZED TOKEN_WRITE_PROTECTED",
    ErrorClass.RETRY_NEW_SESSION: "OBJECT_HANDLE_INVALID KEY_HANDLE_INVALID SESSION_CLOSED SESSION_HANDLE_INVALID "
    "USER_NOT_LOGGED_IN OPERATION_ACTIVE OPERATION_NOT_INITIALIZED",
    ErrorClass.DEVICE: "DEVICE_ERROR DEVICE_REMOVED TOKEN_NOT_PRESENT GENERAL_ERROR FUNCTION_FAILED HOST_MEMORY "
    "CRYPTOKI_NOT_INITIALIZED",
}


@pytest.mark.parametrize("kind", EXCEPTIONS, ids=lambda kind: kind.__name__)
def test_every_exception_has_its_facts(kind: type[PKCS11Error]) -> None:
    facts = CODES[code_of(kind())]
    assert facts.sentence.endswith(".")
    assert facts.next_step.endswith(".")


@pytest.mark.parametrize(("error_class", "names"), CLASSES.items(), ids=lambda value: str(value)[:8])
def test_classes(error_class: ErrorClass, names: str) -> None:
    assert {CODES[f"CKR_{name}"].error_class for name in names.split()} == {error_class}


def test_numbers_are_unique() -> None:
    numbers = [facts.number for facts in CODES.values() if facts.number is not None]
    assert len(numbers) == len(set(numbers))
    assert len(numbers) > 90


def test_sentences_are_for_people() -> None:
    for code, facts in CODES.items():
        assert re.fullmatch(r"[A-Z].*\.", facts.sentence, re.DOTALL), code
        assert "CKR_" not in facts.sentence + facts.next_step, code
        assert facts.next_step, code


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("Unmapped error code 0x80000001", "CKR_0x80000001"),
        ("Unmapped error code 0x68", "CKR_KEY_FUNCTION_NOT_PERMITTED"),
        ("Initialisation error (not initialized). Should never see this.", "CKR_CRYPTOKI_NOT_INITIALIZED"),
        ("Initialisation error (already initialized). Should never see this.", "CKR_CRYPTOKI_ALREADY_INITIALIZED"),
        ("OS exception while loading /x: invalid ELF header", "MODULE_NOT_PKCS11"),
        ("Something else", "CKR_GENERAL_ERROR"),
    ],
)
def test_what_python_pkcs11_tells_by_text_only(text: str, code: str) -> None:
    assert code_of(PKCS11Error(text)) == code


@given(st.integers(0, 2**32 - 1))
def test_every_number_becomes_an_error(number: int) -> None:
    code = code_of(PKCS11Error(f"Unmapped error code {number:#x}"))
    error = error_for(code, context="Signing failed.")
    assert isinstance(error, DeviceError)
    assert error.code == code
    assert error.message.startswith("Signing failed. ")
    assert error.next_step


def test_an_unknown_code_is_kept_and_counts_as_the_devices_fault() -> None:
    error = error_for("CKR_0x80000001", outcome_unknown=True)
    assert (error.code, error.error_class, error.outcome_unknown) == ("CKR_0x80000001", ErrorClass.DEVICE, True)


def test_a_pin_error_knows_whether_the_token_saw_the_pin() -> None:
    seen, unseen = error_for("CKR_PIN_INCORRECT"), error_for("PIN_EMPTY")
    assert isinstance(seen, PinError)
    assert isinstance(unseen, PinError)
    assert (seen.attempted, unseen.attempted) == (True, False)
