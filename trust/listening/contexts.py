"""The TLS of the listener: which key and chain for which name, whose clients' certificates count, which versions.

A context is made once for what the worker filed, and for `allow_tls13`; whatever changes makes another one. There are
no session tickets. A session of TLS 1.2 may be taken up again by its number, but the context that knows it goes with
the file: so none outlives a rotation or the revocation of a root. Whether a client's certificate still counts is asked
at each request, however its connection came about.
"""

import ssl

from serving.tls import server_context
from trust.issuing.contents import Issuing, IssuingKey

LEGACY_PREFIX = "legacy."


def make(issuing: Issuing, server_name: str, *, allow_tls13: bool, socket_class: type[ssl.SSLSocket]) -> ssl.SSLContext:
    """Return the context for every connection; it gives way to another one for `legacy.<server name>`."""
    context = _context(issuing.server_tls, issuing, allow_tls13=allow_tls13)
    context.sslsocket_class = socket_class
    legacy = _context(issuing.legacy_tls, issuing, allow_tls13=allow_tls13) if issuing.legacy_tls else None

    def choose(connection: ssl.SSLObject | ssl.SSLSocket, name: str | None, _context: ssl.SSLContext) -> int | None:
        if name is None or name.lower() != f"{LEGACY_PREFIX}{server_name}":
            return None
        if legacy is None:
            # RFC 6066 §3: better than a certificate that Client 7.2 cannot verify.
            return int(ssl.AlertDescription.ALERT_DESCRIPTION_UNRECOGNIZED_NAME)
        connection.context = legacy
        return None

    context.sni_callback = choose
    return context


def _context(key: IssuingKey, issuing: Issuing, *, allow_tls13: bool) -> ssl.SSLContext:
    context = server_context(key.pem)
    # A ticket would be good for as long as its key, wherever it is shown (RFC 5077 §5.5, RFC 8446 §4.6.1).
    context.options |= ssl.OP_NO_TICKET
    context.num_tickets = 0
    if not allow_tls13:
        context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.verify_mode = ssl.CERT_OPTIONAL
    # Only a root is an anchor: an intermediate in the store helps to build the path, and does not end it.
    context.verify_flags &= ~ssl.VERIFY_X509_PARTIAL_CHAIN
    anchors = (*issuing.roots_der, *issuing.intermediates_der)
    context.load_verify_locations(cadata=b"".join(anchors))
    return context
