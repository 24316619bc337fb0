"""The errors of the gateway itself, and the HTTP status that stands for each error."""

from http import HTTPStatus

from hsm.device.errors import (
    WRONG_PINS,
    DeviceError,
    ErrorClass,
    KeyExistsError,
    KeyMissingError,
    PinError,
    TokenNotFoundError,
)
from hsm.device.gatewaywire import ErrorAnswer, KeyPart


class GatewayError(DeviceError):
    """Something that the gateway says by itself, without the device."""

    def __init__(
        self,
        message: str,
        *,
        code: str,
        status: HTTPStatus,
        error_class: ErrorClass = ErrorClass.CALLER,
        next_step: str = "",
        retry_after_s: int | None = None,
    ) -> None:
        super().__init__(message, code=code, error_class=error_class, next_step=next_step)
        self.status = status
        self.retry_after_s = retry_after_s


LOOK_AT_LOG = "Look at the gateway's log on its host (journalctl -u keystead-hmg)."
UPDATE = "Check that console and gateway have versions that fit, and update the older one."


def not_understood(message: str, status: HTTPStatus = HTTPStatus.BAD_REQUEST) -> GatewayError:
    """Return the error for a request that does not follow the protocol."""
    return GatewayError(f"{message} Nothing was done.", code="GATEWAY_REQUEST", status=status, next_step=UPDATE)


def too_large(limit_bytes: int) -> GatewayError:
    """Return the error for a body over the limit."""
    return GatewayError(
        f"The request is larger than {limit_bytes} bytes. Nothing was done.",
        code="GATEWAY_TOO_LARGE",
        status=HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        next_step="Send less data.",
    )


def no_such_path(path: str) -> GatewayError:
    """Return the error for a path that is no operation."""
    if path.startswith("/v") and not path.startswith("/v1/"):
        return GatewayError(
            "The gateway speaks version 1 of the protocol only. Nothing was done.",
            code="GATEWAY_VERSION",
            status=HTTPStatus.NOT_FOUND,
            next_step=UPDATE,
        )
    return GatewayError(
        "The gateway has no such operation. Nothing was done.",
        code="GATEWAY_PATH",
        status=HTTPStatus.NOT_FOUND,
        next_step=UPDATE,
    )


def wrong_method() -> GatewayError:
    """Return the error for anything but POST."""
    return GatewayError(
        "The gateway takes POST only. Nothing was done.",
        code="GATEWAY_PATH",
        status=HTTPStatus.METHOD_NOT_ALLOWED,
        next_step=UPDATE,
    )


def not_served(slot: int) -> GatewayError:
    """Return the error for a slot that this gateway does not serve."""
    return GatewayError(
        f"The gateway does not serve slot {slot}. The PIN was not tried.",
        code="GATEWAY_SLOT",
        status=HTTPStatus.NOT_FOUND,
        error_class=ErrorClass.OPERATOR,
        next_step="Enter the slot that HMG_SLOT names in /etc/default/keystead-hmg on the gateway's host.",
    )


def unverified_wait(wait_s: int) -> GatewayError:
    """Return the error for a PIN that may not be tried yet."""
    return GatewayError(
        "A PIN that the gateway does not know was tried at this token within the last 15 minutes, so this one was not "
        f"tried. The next try is possible in {-(-wait_s // 60)} minutes.",
        code="GATEWAY_PIN_UNVERIFIED_WAIT",
        status=HTTPStatus.TOO_MANY_REQUESTS,
        error_class=ErrorClass.OPERATOR,
        next_step="Wait, then enter the right PIN: a token locks after a few wrong ones.",
        retry_after_s=wait_s,
    )


def known_to_be_wrong() -> DeviceError:
    """Return the error for a PIN that the token refused."""
    return PinError(
        "The token refused this PIN before, so it was not tried again.",
        code="PIN_REJECTED_BEFORE",
        error_class=ErrorClass.OPERATOR,
        next_step="Enter the right PIN. If the token has this PIN only since then, start the gateway anew.",
    )


def not_recorded() -> GatewayError:
    """Return the error for a try that could not be written down first."""
    return GatewayError(
        "The gateway cannot write down that a PIN is tried, so it was not tried.",
        code="GATEWAY_FAULT",
        status=HTTPStatus.INTERNAL_SERVER_ERROR,
        error_class=ErrorClass.DEVICE,
        next_step="Check HMG_STATE_DIR on the gateway's host: its disk is full, or it may not be written to.",
    )


def own_fault() -> GatewayError:
    """Return the error for a fault of the program."""
    return GatewayError(
        "The gateway failed by a fault of its own.",
        code="GATEWAY_FAULT",
        status=HTTPStatus.INTERNAL_SERVER_ERROR,
        error_class=ErrorClass.DEVICE,
        next_step=LOOK_AT_LOG,
    )


BY_CODE = {
    "KEY_DIFFERS": HTTPStatus.CONFLICT,
    "KEY_AMBIGUOUS": HTTPStatus.CONFLICT,
    "DEADLINE": HTTPStatus.GATEWAY_TIMEOUT,
}
BY_TYPE: tuple[tuple[type[DeviceError], HTTPStatus], ...] = (
    (PinError, HTTPStatus.FORBIDDEN),
    (KeyExistsError, HTTPStatus.CONFLICT),
    (KeyMissingError, HTTPStatus.NOT_FOUND),
    (TokenNotFoundError, HTTPStatus.NOT_FOUND),
)
BY_CLASS = {
    ErrorClass.CALLER: HTTPStatus.UNPROCESSABLE_ENTITY,
    ErrorClass.OPERATOR: HTTPStatus.UNPROCESSABLE_ENTITY,
    ErrorClass.RETRY_NEW_SESSION: HTTPStatus.SERVICE_UNAVAILABLE,
    ErrorClass.DEVICE: HTTPStatus.SERVICE_UNAVAILABLE,
}


ENTER_PIN = "Enter the right PIN in the connection of the group."
FIX_MODULE = (
    "Check PKCS11_LIB_PATH in /etc/default/keystead-hmg on the gateway's host: it names the vendor's library, for the "
    "processor of that host, with all libraries that it needs."
)
FIX_SLOT = "Compare the slot of the connection with HMG_SLOT on the gateway's host and with what the HSM shows there."
# Where the facts speak of settings of the console's own modules.
NEXT_STEPS = {
    **dict.fromkeys((*sorted(WRONG_PINS), "PIN_EMPTY", "PIN_LENGTH", "PIN_NOT_TEXT", "PIN_REJECTED_BEFORE"), ENTER_PIN),
    **dict.fromkeys(("MODULE_NOT_FOUND", "MODULE_NOT_PKCS11"), FIX_MODULE),
    **dict.fromkeys(("TOKEN_NOT_FOUND", "TOKEN_AMBIGUOUS", "TOKEN_MISMATCH", "CKR_SLOT_ID_INVALID"), FIX_SLOT),
    "HOST_NOT_STARTED": LOOK_AT_LOG,
}


def next_step_of(error: DeviceError) -> str:
    """Return what to do, in the words of a gateway's settings."""
    return error.next_step if isinstance(error, GatewayError) else NEXT_STEPS.get(error.code, error.next_step)


def status_of(error: DeviceError) -> HTTPStatus:
    """Return the HTTP status of docs/gateway-protocol.md."""
    if isinstance(error, GatewayError):
        return error.status
    if error.code in BY_CODE:
        return BY_CODE[error.code]
    return next((status for kind, status in BY_TYPE if isinstance(error, kind)), BY_CLASS[error.error_class])


def answer_for(error: DeviceError, existing: KeyPart | None = None) -> ErrorAnswer:
    """Return the error as it is sent."""
    return ErrorAnswer(
        code=error.code,
        message=error.message,
        next_step=next_step_of(error),
        error_class=error.error_class,
        outcome_unknown=error.outcome_unknown,
        existing=existing,
        retry_after_s=error.retry_after_s if isinstance(error, GatewayError) else None,
    )
