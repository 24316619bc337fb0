"""A request that comes in pieces: a thread takes what is there and goes; none waits for the rest.

gunicorn parses a request while it reads from a socket that blocks, so half a request would hold a thread. Here a
thread takes *turns*, and gunicorn's parser reads what they have gathered, once the request is whole.
"""

import re
import ssl
import time
from selectors import EVENT_READ, EVENT_WRITE

from serving.patience import Connection, too_slow

REQUEST_S = 10.0
BODY_BYTES = 64 * 1024
"""A longer body is not waited for. Whoever reads it all the same is told that the client was too slow."""
PIECE_BYTES = 16 * 1024  # RFC 8446 §5.1: the most that a record of TLS holds
LAST_MOMENT_S = 0.001
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
END_OF_HEAD = re.compile(rb"\n\r?\n")  # gunicorn refuses lines that end with LF alone, and must see them for that
LENGTH = re.compile(rb"^content-length:[ \t]*(\d{1,9})[ \t]*\r$", re.IGNORECASE | re.MULTILINE)
EXPECTATION = re.compile(rb"^expect:[ \t]*100-continue", re.IGNORECASE | re.MULTILINE)


class Arriving:
    """What has arrived of the next request of a connection; the handshake is part of the first one.

    Where a request ends is said here for the requests that gunicorn accepts. Of any other it gets the head, or all
    there is, and refuses it: being wrong costs a connection, and never a thread, because `recv` does not wait.
    """

    until = 0.0
    """When the client's time is over; it runs from the first turn on, however many follow."""
    wants = EVENT_READ
    """What the next turn needs."""
    is_late = False
    """To be set when that time is over: the next turn is the last one."""

    def __init__(self, connection: Connection, *, head_bytes: int) -> None:
        self._connection = connection
        self._head_bytes = head_bytes
        self._has_shaken_hands = False
        self._has_ended = False
        self._arrived = bytearray()
        self._searched = 0
        self._whole = 0
        self._due = 0

    def turn(self) -> bool:
        """Take what is there. Return whether a thread can go on: all of the request is here, or all that will be.

        Raises OSError when the handshake fails, or the connection.
        """
        if not self.until:
            self.until = time.monotonic() + REQUEST_S
        self._connection.settimeout(LAST_MOMENT_S if self.is_late else 0)
        try:
            self._gather()
        except ssl.SSLWantWriteError:
            self.wants = EVENT_WRITE
            return False
        except (ssl.SSLWantReadError, BlockingIOError):
            self.wants = EVENT_READ
            return False
        except TimeoutError:
            pass
        self._due = min(self._whole or len(self._arrived), len(self._arrived))
        return True

    def recv(self, size: int) -> bytes:
        """Return some of this request, and nothing of the next one; nothing at the end of what the client sends.

        Raises ConnectionResetError instead of waiting.
        """
        piece = bytes(self._arrived[: min(size, self._due)])
        if not piece and not self._has_ended:
            raise too_slow()
        del self._arrived[: len(piece)]
        self._due -= len(piece)
        return piece

    def next(self) -> None:
        """Go over to the next request."""
        self.until, self.is_late, self._searched, self._whole = 0.0, False, 0, 0

    def has_begun(self) -> bool:
        """Say whether some of the next request is here, which no poller sees."""
        return bool(self._arrived) or self._connection.pending() > 0

    def _gather(self) -> None:
        if not self._has_shaken_hands:
            self._connection.do_handshake()
            self._has_shaken_hands = True
        while not self._is_whole():
            piece = self._connection.recv(PIECE_BYTES)
            if not piece:
                self._has_ended = True
                return
            self._arrived += piece

    def _is_whole(self) -> bool:
        if not self._whole:
            end = END_OF_HEAD.search(self._arrived, self._searched)
            if end is None:
                self._searched = max(0, len(self._arrived) - 2)
                return len(self._arrived) > self._head_bytes
            head = bytes(self._arrived[: end.end()])
            self._whole = len(head) + _body_bytes(head)
            if len(self._arrived) < self._whole and EXPECTATION.search(head) and b" HTTP/1.1\r\n" in head:
                self._connection.sendall(CONTINUE)  # RFC 9110 §10.1.1: else the client waits for it
                self._connection.settimeout(0)
        return len(self._arrived) >= self._whole


def _body_bytes(head: bytes) -> int:
    """Return the length of the body to wait for: 0 where the head alone is refused."""
    lengths = LENGTH.findall(head)
    if len(lengths) != 1 or int(lengths[0]) > BODY_BYTES:
        return 0
    return int(lengths[0])
