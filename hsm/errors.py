"""What the HSM integration raises besides the errors of the device layer."""

from console.lib.errors import ConflictError, RefusedError, UnavailableError


class NotConfiguredError(RefusedError):
    """Settings that the next key operation needs are missing."""


class TokenChoiceError(RefusedError):
    """The settings do not lead to exactly one usable token; no PIN was tried."""


class PinRejectedError(RefusedError):
    """The token rejects the entered PIN, or rejected it before; it is not tried again until it is entered anew."""


class BindingForgottenError(RefusedError):
    """An administrator gave this token up: its PIN is gone, and the keys on it cannot be used."""


class PinBusyError(UnavailableError):
    """Another worker tries this PIN on this token and does not come to an end."""


class RebindError(ConflictError):
    """Keys were not found on the token that the settings name; nothing was changed."""
