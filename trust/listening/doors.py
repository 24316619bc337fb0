"""What the listener does with a new connection: TLS, with the keys and settings of now, and a line when it fails."""

import errno
import logging
import socket
import ssl
import threading
from typing import Any

from django.conf import settings

from console.lib.errors import UnavailableError
from serving.patience import PatientSocket, PatientTlsSocket
from trust.issuing import opening
from trust.issuing.contents import Issuing
from trust.listening import contexts, flags, handshakes

logger = logging.getLogger(__name__)


class ListenerTlsSocket(PatientTlsSocket):
    """A connection whose failed handshake leaves a line in the PKI TLS log."""

    def do_handshake(self, block: bool = False) -> None:
        """Shake hands, as far as the client has come."""
        try:
            super().do_handshake(block)
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            raise
        except OSError as error:
            handshakes.failed(self, error)
            # gunicorn takes this one for a client that went away. Of any other it makes an answer in clear.
            raise ConnectionResetError(errno.ECONNRESET, str(error)) from error


class Doors:
    """Has the one method of an SSLContext that gunicorn calls."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._made_of: tuple[Issuing, bool] | None = None
        self._context: ssl.SSLContext | None = None

    def wrap_socket(self, sock: socket.socket, **options: Any) -> socket.socket:
        """Return the connection with TLS; its handshake is part of the first request."""
        try:
            context = self._current()
        except UnavailableError as error:
            logger.warning("A connection is refused: %s", error.message)
            raise ConnectionResetError(errno.ECONNRESET, error.message) from error
        options["do_handshake_on_connect"] = False
        return context.wrap_socket(sock, **options)

    def _current(self) -> ssl.SSLContext:
        issuing, allow_tls13 = opening.issuing(), flags.kept.current().allow_tls13
        with self._lock:
            made_of = self._made_of
            if self._context is None or made_of is None or made_of[0] is not issuing or made_of[1] != allow_tls13:
                self._context = contexts.make(
                    issuing, settings.SERVER_NAME, allow_tls13=allow_tls13, socket_class=ListenerTlsSocket
                )
                self._made_of = (issuing, allow_tls13)
            return self._context


class PlainDoors:
    """The same without TLS."""

    def wrap_socket(self, sock: socket.socket, **_options: Any) -> socket.socket:
        """Return the connection in clear."""
        return PatientSocket(sock.family, sock.type, sock.proto, fileno=sock.detach())
