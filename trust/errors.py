"""What this app raises, besides the errors of console.lib, of the keys and of the wire."""

from console.lib.errors import ConflictError, NotFoundError, RefusedError, UnavailableError

# Clients


class ClientNotFoundError(NotFoundError):
    """No such client."""


# Publishing: what is signed for clients


class OutdatedError(UnavailableError):
    """What a document says changed while it was signed: nothing was stored, and it is signed anew."""


class NoSigningKeyError(UnavailableError):
    """There is no key yet that may sign this document."""


# Enrolment


class UnidentifiedError(RefusedError):
    """Nothing in the request says who asks: no certificate, no proof, no credential, or a wrong one.

    `is_told` is False for a wrong credential that was written down a moment ago.
    """

    def __init__(self, message: str, *, code: str, is_told: bool = True) -> None:
        super().__init__(message, code=code)
        self.is_told = is_told


class OvertakenError(ConflictError):
    """Another request was quicker; what holds now has to be looked at again. Nothing was stored."""


class WaitsError(RefusedError):
    """A known client that cannot prove its last key waits for an administrator."""


class TooManyGuessesError(UnavailableError):
    """Too many wrong credentials: another wrong one counts for nothing before `retry_after_s` have passed."""

    def __init__(self, message: str, *, retry_after_s: int) -> None:
        super().__init__(message, code="too-many-guesses")
        self.retry_after_s = retry_after_s


# Infrastructure configuration files


class CredentialNotFoundError(NotFoundError):
    """No such enrolment credential."""


class InitFileNotFoundError(NotFoundError):
    """No such download."""


class InitFileNotMadeError(UnavailableError):
    """A keystead-init.dat could not be made: nothing was handed out."""
