"""Every code that a device error can carry, and the error that stands for it."""

from hsm.device.base import MAX_ANY_KEY_ID_BYTES, MAX_KEY_ID_BYTES, MIN_KEY_ID_BYTES
from hsm.device.ckrfacts import CKR
from hsm.device.errors import DeviceError
from hsm.device.facts import CodeFacts
from hsm.device.gatewayfacts import GATEWAY
from hsm.device.ownfacts import OWN

CODES: dict[str, CodeFacts] = {**CKR, **OWN, **GATEWAY}


def error_for(code: str, *, detail: str = "", context: str = "", outcome_unknown: bool = False) -> DeviceError:
    """Return the error that stands for a code, with `context` (what was being done) before its sentence.

    A code that is not in the table (a vendor's own, `CKR_0x8…`) is kept and counts as a fault of the device.
    """
    facts = CODES.get(code, CODES["CKR_VENDOR_DEFINED"])
    sentence = " ".join(part for part in (context, facts.sentence, detail) if part)
    return facts.raises(
        sentence,
        code=code,
        error_class=facts.error_class,
        next_step=facts.next_step,
        outcome_unknown=outcome_unknown,
    )


def check_key_id(key_id: bytes) -> None:
    """Raise DeviceError KEY_ID for an id that is too short to be unique, or too long."""
    if not MIN_KEY_ID_BYTES <= len(key_id) <= MAX_KEY_ID_BYTES:
        raise error_for("KEY_ID")


def check_any_key_id(key_id: bytes) -> None:
    """Raise DeviceError KEY_ID for an id that addresses no key, whoever made it."""
    if not 1 <= len(key_id) <= MAX_ANY_KEY_ID_BYTES:
        raise error_for("KEY_ID")
