"""What a device raises. The facts about each code are data, in `codes.py`.

`message` says what happened and what did not change, `next_step` what to do, `code` is a PKCS#11 return value
(`CKR_…`) or one of our own names. `outcome_unknown` means that the device may have done it all the same.
"""

from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hsm.device.objects import ObjectRecord

# The PIN itself is wrong, for ever. A locked or expired one may work again once the security officer has acted.
WRONG_PINS = frozenset({"CKR_PIN_INCORRECT", "CKR_PIN_INVALID", "CKR_PIN_LEN_RANGE"})


class ErrorClass(StrEnum):
    """Who can do something about it, and whether trying again makes sense."""

    CALLER = "caller"  # the request is wrong: show it, do not retry
    OPERATOR = "operator"  # the token or its set-up needs a person
    RETRY_NEW_SESSION = "retry on a new session"  # retried once already when it is raised
    DEVICE = "device"  # the device, its module or its host failed: a later attempt may work


class DeviceError(Exception):
    """Base of all; also stands for a return value that has no class of its own."""

    def __init__(
        self,
        message: str,
        *,
        code: str = "",
        error_class: ErrorClass = ErrorClass.DEVICE,
        next_step: str = "",
        outcome_unknown: bool = False,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.error_class = error_class
        self.next_step = next_step
        self.outcome_unknown = outcome_unknown


class PinError(DeviceError):
    """The token refused the PIN, or the PIN was not tried. It is never tried again by itself."""

    @property
    def attempted(self) -> bool:
        """Say whether the token saw the PIN: only then may it have counted a try."""
        return self.code.startswith("CKR_")


class TokenNotFoundError(DeviceError):
    """No token, more than one, or another one than was named."""


class KeyExistsError(DeviceError):
    """The token already holds an object with this CKA_ID; nothing was made.

    `record` is the key that is there, where the device says so (a gateway, a group).
    """

    record: "ObjectRecord | None" = None


class KeyMissingError(DeviceError):
    """The token answers, and the private key is not there."""


class ModuleError(DeviceError):
    """The PKCS#11 module cannot be loaded or used."""


class DeadlineError(DeviceError):
    """The device did not answer in time; its host process was ended."""


class HostLostError(DeviceError):
    """The module host ended in the middle of a call: the module crashed, or somebody killed it."""


class BreakerOpenError(DeviceError):
    """The device failed several times in a row and is left alone for a while; nothing was tried."""


class StoreError(DeviceError):
    """pki.db cannot be used: missing, damaged, full, or not to be opened with what is at hand."""

    @property
    def transient(self) -> bool:
        """Say whether the same call may work in a moment: others are using the file."""
        return self.code in ("STORE_BUSY", "STORE_NOT_CLEARED")


class StoreLockedError(StoreError):
    """None of the given passwords opens pki.db; nothing was changed."""
