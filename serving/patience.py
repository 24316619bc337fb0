"""Connections that do not wait for ever: an answer has to be taken in time. For requests see `serving.arriving`."""

import errno
import select
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

ANSWER_S = 30.0


class _Patience:
    settimeout: Callable[[float | None], None]
    sendall: Callable[[bytes], None]
    _until = 0.0
    _held: bytearray | None = None

    def setblocking(self, flag: bool, /) -> None:
        """Have no other wait than one that ends: gunicorn asks for a connection that blocks."""
        if flag:
            self.wait(ANSWER_S)
        else:
            self.settimeout(0.0)

    def wait(self, limit_s: float) -> None:
        """Give the other side this long from now on."""
        self._until = time.monotonic() + limit_s
        self.settimeout(limit_s)

    @contextmanager
    def in_one_piece(self) -> Iterator[None]:
        """Send what `sendall` is given at the end, at once: gunicorn sends the head of an answer by itself.

        Each piece would be a record of TLS, a packet, and a turn of this thread. After an exception nothing is sent.
        """
        self._held = bytearray()
        try:
            yield
            whole = bytes(self._held)
        finally:
            self._held = None
        if whole:
            self.sendall(whole)

    @contextmanager
    def in_time(self) -> Iterator[None]:
        """Give the other side what is left of its time."""
        left = self._until - time.monotonic()
        if left <= 0:
            raise too_slow()
        self.settimeout(left)
        try:
            yield
        except TimeoutError as error:
            raise too_slow() from error


class PatientSocket(_Patience, socket.socket):
    """A connection in clear."""

    def do_handshake(self) -> None:
        """There is none."""

    def pending(self) -> int:
        """Return what was decrypted and not read: nothing is."""
        return 0

    def sendall(self, *arguments: Any) -> None:
        """Write, in the time of an answer."""
        if self._held is not None:
            self._held += arguments[0]
            return
        self.wait(ANSWER_S)
        with self.in_time():
            super().sendall(*arguments)


class PatientTlsSocket(_Patience, ssl.SSLSocket):
    """A connection inside TLS."""

    def sendall(self, *arguments: Any) -> None:
        """Write, in the time of an answer; it is made of `send`."""
        if self._held is not None:
            self._held += arguments[0]
            return
        self.wait(ANSWER_S)
        super().sendall(*arguments)

    def send(self, *arguments: Any) -> int:
        """Write a part."""
        with self.in_time():
            return super().send(*arguments)


Connection = PatientSocket | PatientTlsSocket


def has_left(connection: socket.socket) -> bool:
    """Say whether the client closed its side: nobody waits for the answer."""
    poller = select.poll()
    poller.register(connection.fileno(), select.POLLRDHUP | select.POLLHUP | select.POLLERR)
    return bool(poller.poll(0))


def too_slow() -> ConnectionResetError:
    """Return an error that gunicorn takes for a client that went away, which is what it should do with it."""
    return ConnectionResetError(errno.ECONNRESET, "The client was too slow.")
