"""A line in the PKI TLS log for each failed handshake, with its reason and who had which part (LOG-05, TLS-08).

Not a flood: of one reason from one address one line in a minute, and so many lines in a minute altogether.
"""

import ssl
import threading
import time
from collections import OrderedDict
from collections.abc import Callable

from django.conf import settings

from console import pkilog

QUIET_S = 60.0
MOST_A_MINUTE = 60
REMEMBERED = 10_000


class Quiet:
    """Decides which of many equal events is written; pure but for the clock that it is given."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._last: OrderedDict[tuple[str, str], float] = OrderedDict()
        self._minute = 0.0
        self._written = 0
        self._left_out = 0

    def admits(self, address: str, reason: str) -> int | None:
        """Return how many events were left out since the last one that was written; None to leave this one out."""
        with self._lock:
            now = self._clock()
            if now - self._minute >= QUIET_S:
                self._minute, self._written = now, 0
            last = self._last.get((address, reason))
            if (last is not None and now - last < QUIET_S) or self._written >= MOST_A_MINUTE:
                self._left_out += 1
                return None
            self._last[address, reason] = now
            self._last.move_to_end((address, reason))
            while len(self._last) > REMEMBERED:
                self._last.popitem(last=False)
            self._written += 1
            left_out, self._left_out = self._left_out, 0
            return left_out


_quiet = Quiet()


def failed(connection: ssl.SSLSocket, error: OSError) -> None:
    """Write down that a client's handshake failed; a connection that only came and went is no handshake."""
    why = reason(error)
    if not why:
        return
    try:
        address = str(connection.getpeername()[0])
    except OSError:
        address = "gone"
    left_out = _quiet.admits(address, why)
    if left_out is None:
        return
    also = f"; {left_out} more failures are not written" if left_out else ""
    pkilog.write(
        "handshake-failed",
        component="tls",
        # TLS-08: a client is the client towards the server.
        subject=f"client {address}, server {settings.SERVER_NAME}",
        result=f"failed: {why}{also}",
        level=pkilog.Level.WARNING,
        log=pkilog.Log.TLS,
    )


def reason(error: OSError) -> str:
    """Return why a handshake failed, in words of OpenSSL; nothing when the other side only closed the connection."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"the client's certificate is not accepted: {error.verify_message}"
    if isinstance(error, ssl.SSLEOFError | ssl.SSLZeroReturnError):
        return ""
    if isinstance(error, ssl.SSLError):
        return (error.reason or "unknown").lower().replace("_", " ")
    if isinstance(error, TimeoutError):
        return "the client was too slow"
    return ""
