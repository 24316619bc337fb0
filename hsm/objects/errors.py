"""What work on security objects raises, besides the errors of console.lib and of the device."""

from console.lib.errors import ConflictError, ConsoleError, InvalidError, UnavailableError


class UnsettledError(UnavailableError):
    """A device was called and did not answer: the outcome is unknown until somebody has looked."""


class FencedError(ConflictError):
    """Somebody else took over the row; what this attempt did is not recorded by it."""


class MakingFailedError(ConsoleError):
    """A key was not made and nothing is left of it. Not tried again by itself, whatever the cause was."""


class ChangeFailedError(ConsoleError):
    """The device refused a change, or could not be asked; the message says what did not change."""


class BusyError(ConflictError):
    """Another job works on this key."""


class MaterialError(InvalidError):
    """What was given cannot be imported."""
