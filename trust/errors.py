"""What this app raises, besides the errors of console.lib, of the keys and of the wire."""

from console.lib.errors import ConflictError, NotFoundError, UnavailableError

# Clients


class ClientNotFoundError(NotFoundError):
    """No such client."""


# Publishing: what is signed for clients


class SequenceTakenError(ConflictError):
    """Somebody else published a newer document of this kind meanwhile; nothing was stored."""


class NoSigningKeyError(UnavailableError):
    """There is no key yet that may sign this document."""
