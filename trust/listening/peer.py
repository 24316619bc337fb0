"""Who is at the other end of a request, as far as the connection tells."""

import ssl
from dataclasses import dataclass

from django.http import HttpRequest


@dataclass(frozen=True)
class Peer:
    """`certificate_der` is what the client proved in the handshake: its chain leads to an active root of this server.

    Whether this console issued it, and whether it still counts, is not known here (`trust.clients.identity`).
    """

    certificate_der: bytes | None
    address: str
    is_tls: bool


def peer(request: HttpRequest) -> Peer:
    """Return the peer of a request that came through gunicorn."""
    connection = request.META.get("gunicorn.socket")
    is_tls = isinstance(connection, ssl.SSLSocket)
    certificate = connection.getpeercert(binary_form=True) if isinstance(connection, ssl.SSLSocket) else None
    return Peer(certificate, str(request.META.get("REMOTE_ADDR", "")), is_tls)
