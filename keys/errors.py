"""What this app raises, besides the errors of console.lib and of the device."""

from console.lib.errors import ConflictError, ConsoleError, NotFoundError, RefusedError, UnavailableError


class KeyNotFoundError(NotFoundError):
    """No such key."""


class CreationConflictError(ConflictError):
    """Another creation is under way, or this form was used already."""


class RevocationRefusedError(RefusedError):
    """The root may not be revoked; the message says why (KEY-24)."""


class ConsequencesChangedError(ConflictError):
    """What the dialog said no longer holds; show it again."""


class UnsettledError(UnavailableError):
    """A device was called and did not answer: the outcome is unknown until the reconciler has looked."""


class FencedError(ConflictError):
    """Somebody else took over the row; what this attempt did is not recorded by it."""


class CreationFailedError(ConsoleError):
    """A key was not made and nothing is left of it. Not tried again by itself, whatever the cause was."""


class RotationRefusedError(RefusedError):
    """The key is not rotated from here, or not now."""


class WaitingError(UnavailableError):
    """The device of a key cannot be used now; the job stays in view and tries again by itself."""
