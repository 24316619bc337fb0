"""Faults of connections in a word or two; the sentences are the codes' own (`hsm.device.codes`)."""

from hsm.device.errors import DeviceError, ErrorClass, PinError
from hsm.device.failover import WRONG_PINS

INCOMPLETE = "CONNECTION_INCOMPLETE"

WORDS = {
    INCOMPLETE: "Incomplete",
    "client-key-mismatch": "Client key mismatch",
    "client-key-encrypted": "Client key unusable",
    "client-key-unreadable": "Client key unusable",
    "client-key-missing": "Client key missing",
    "GATEWAY_NAME": "Name not found",
    "GATEWAY_REFUSED": "Refused",
    "GATEWAY_UNREACHABLE": "Unreachable",
    "GATEWAY_TLS": "No TLS",
    "GATEWAY_TLS_UNTRUSTED": "TLS untrusted",
    "GATEWAY_TLS_NAME": "Host name mismatch",
    "GATEWAY_TLS_EXPIRED": "Certificate expired",
    "GATEWAY_TLS_SETTINGS": "Certificates unusable",
    "GATEWAY_CLIENT_CERT": "Client certificate refused",
    "GATEWAY_ADDRESS": "No address",
    "GATEWAY_REDIRECT": "Redirected",
    "GATEWAY_GARBAGE": "No gateway",
    "GATEWAY_TOO_LARGE": "No gateway",
    "GATEWAY_DEADLINE": "No answer in time",
    "GATEWAY_LOST": "Connection lost",
    "GATEWAY_VERSION": "Other version",
    "GATEWAY_SLOT": "No such slot",
    "GATEWAY_PIN_UNVERIFIED_WAIT": "PIN not tried yet",
    "GATEWAY_BUSY": "Busy",
    "TOKEN_NOT_FOUND": "No such slot",
    "TOKEN_MISMATCH": "No such slot",
    "TOKEN_AMBIGUOUS": "Token not unique",
    "TOKEN_CHANGED": "Another token",
    "MODULE_NOT_FOUND": "Module not found",
    "MODULE_NOT_PKCS11": "No PKCS#11 module",
    "DEADLINE": "No answer in time",
    "BREAKER_OPEN": "Resting after faults",
    "CKR_PIN_LOCKED": "PIN locked",
    **dict.fromkeys(WRONG_PINS, "Wrong PIN"),
    "PIN_REJECTED_BEFORE": "Wrong PIN",
}


def word(code: str) -> str:
    """Return the class of fault that a status line shows."""
    return WORDS.get(code, "Device error")


def incomplete(missing: str) -> DeviceError:
    """Return the fault of a connection that lacks something that only a person can enter."""
    return DeviceError(
        f"The connection has no {missing} yet, so nothing was tried.",
        code=INCOMPLETE,
        next_step=f"Edit the connection and enter the {missing}.",
    )


def pin_refused(code: str = "CKR_PIN_INCORRECT") -> PinError:
    """Return the fault of a connection whose PIN was rejected and is not sent again."""
    return PinError(
        "The token rejected the PIN of this connection before. It is not sent again, so that the token does not lock.",
        code=code,
        error_class=ErrorClass.OPERATOR,
        next_step="Edit the connection and enter the right PIN. The console tries it once after that.",
    )
