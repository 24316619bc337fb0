"""A socket for `http.client` whose every call ends by a moment, so that a slow peer keeps nobody waiting."""

import io
import select
import socket
import ssl
import time
from contextlib import suppress
from typing import Any


class Timed:
    """`begin` sets the moment (of `time.monotonic`) for one exchange; `has_heard`: a byte came since then."""

    def __init__(self, raw: socket.socket) -> None:
        self._raw = raw
        self._until = 0.0
        self._readers = 0
        self._is_closed = False
        self.has_heard = False

    def begin(self, until: float) -> None:
        """Start on an exchange."""
        self._until, self.has_heard = until, False

    def is_quiet(self) -> bool:
        """Tell whether nothing came that nobody asked for, such as the end of the connection."""
        if isinstance(self._raw, ssl.SSLSocket) and self._raw.pending():
            return False
        poller = select.poll()
        poller.register(self._raw, select.POLLIN)
        return not poller.poll(0)

    def sendall(self, data: Any) -> None:
        """Send."""
        self._raw.settimeout(left(self._until))
        try:
            self._raw.sendall(data)
        except OSError:
            self._hear_why()
            raise

    def receive_into(self, buffer: Any) -> int:
        """Read."""
        self._raw.settimeout(left(self._until))
        count = self._raw.recv_into(buffer)
        self.has_heard |= count > 0
        return count

    def makefile(self, *_arguments: Any) -> io.BufferedReader:
        """Return what `http.client` reads from."""
        self._readers += 1
        return io.BufferedReader(_Reading(self))

    def close(self) -> None:
        """Close, once nobody reads any more: `http.client` closes before it reads the body of the last answer."""
        self._is_closed = True
        if not self._readers:
            self._raw.close()

    def end_reading(self) -> None:
        """Have one reader less."""
        self._readers -= 1
        if self._is_closed:
            self.close()

    def _hear_why(self) -> None:
        """Raise what the peer said before it hung up, such as a TLS alert; nothing if it said nothing."""
        with suppress(TimeoutError, ConnectionError, ssl.SSLEOFError, ssl.SSLZeroReturnError):
            self._raw.settimeout(min(1.0, left(self._until)))
            self._raw.recv(1)


def left(until: float) -> float:
    """Return the seconds until then; raises TimeoutError when there are none."""
    seconds = until - time.monotonic()
    if seconds <= 0:
        raise TimeoutError
    return seconds


class _Reading(io.RawIOBase):
    def __init__(self, timed: Timed) -> None:
        self._timed = timed

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        return self._timed.receive_into(buffer)

    def close(self) -> None:
        if not self.closed:
            super().close()
            self._timed.end_reading()
