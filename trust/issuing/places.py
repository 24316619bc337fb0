"""Where the file for the listener lies, and the pair that it is sealed for."""

from pathlib import Path

from django.conf import settings

from console.lib.sealing import Owner

PURPOSE = "issuing"
LISTENER = Owner(
    "the listener",
    lost="Run set-up again: it makes a new pair, and hands the keys over for that one.",
    unfit="Run set-up again: it compares the two halves, and hands the keys over anew.",
)


def issuing_file() -> Path:
    """Return the one file by which keys reach the listener."""
    return Path(settings.ISSUING_FILE)


def public_file() -> Path:
    """Return the half of the listener's pair that seals."""
    return Path(settings.LISTENER_PUBLIC_FILE)


def private_file() -> Path:
    """Return the half that opens; only the listener is told where it is."""
    return Path(settings.LISTENER_KEY_FILE)
