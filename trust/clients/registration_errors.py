"""What refuses a registration or an answer, besides the errors of console.lib. The edge knows their HTTP status."""

from console.lib.errors import ConflictError, InvalidError, UnavailableError

CLIENT_REVOKED = "client-revoked"


class TooLargeError(InvalidError):
    """The body is longer than any that is meant honestly."""


class TooManyError(UnavailableError):
    """One address brings more new names than it may in a minute."""


class ReplayedError(ConflictError):
    """The counter is not higher than `counter`, the highest one known of this client."""

    def __init__(self, counter: int) -> None:
        super().__init__("A registration with this counter, or a higher one, is known already.", code="replayed")
        self.counter = counter
