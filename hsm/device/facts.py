"""What is known about a code, and the next steps that many of them share."""

from dataclasses import dataclass

from hsm.device.errors import DeviceError, ErrorClass

CALLER, OPERATOR = ErrorClass.CALLER, ErrorClass.OPERATOR
RETRY, DEVICE = ErrorClass.RETRY_NEW_SESSION, ErrorClass.DEVICE

REPORT = "Keep the code and the time, and ask the vendor of the HSM."
CHECK_DEVICE = "Check that the HSM is powered, connected and free of alarms, then run the job again."
AGAIN = "Run the job again; if it happens again, check the HSM."
CHECK_PIN = "Enter the right PIN in the setting HSMPassword. It is not tried again until the setting changes."
SO = "Ask the security officer of the token"
OTHER_MECHANISM = "Use another key type, or another token; the check of the HSM integration lists what it offers."
RESTART_OK = "The module is started anew by itself; run the job again."


@dataclass(frozen=True)
class CodeFacts:
    """What is known about one code. `number` is None for our own codes."""

    number: int | None
    error_class: ErrorClass
    sentence: str
    next_step: str = REPORT
    raises: type[DeviceError] = DeviceError
