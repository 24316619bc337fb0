"""What the domain raises. HTTP appears only in the middleware.

A message is written for the administrator: what happened, and what did not change. `next_step` says what to do,
`code` is a code to search for (`CKR_…` for a device).
"""


class ConsoleError(Exception):
    """The base: something was asked for that does not happen."""

    def __init__(self, message: str, *, code: str = "", next_step: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.next_step = next_step


class NotFoundError(ConsoleError):
    """The thing does not exist, or not for this user."""


class ConflictError(ConsoleError):
    """Somebody else changed the thing, or is changing it."""


class RefusedError(ConsoleError):
    """A rule, or a missing right, forbids it."""


class RightMissingError(RefusedError):
    """The user lacks the right `needed` on this one thing; the edge records it, as it does for a missing role."""

    def __init__(self, message: str, *, needed: str, code: str = "", next_step: str = "") -> None:
        super().__init__(message, code=code, next_step=next_step)
        self.needed = needed


class InvalidError(ConsoleError):
    """An input is wrong; `field` names it where it is one field of a form."""

    def __init__(self, message: str, *, field: str = "", code: str = "", next_step: str = "") -> None:
        super().__init__(message, code=code, next_step=next_step)
        self.field = field


class UnavailableError(ConsoleError):
    """Something needed cannot be reached now; trying again may help."""
