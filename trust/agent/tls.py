"""TLS of a client: 1.2 with exactly six suites (TLS-12), or 1.3."""

import ssl
from datetime import datetime, timedelta

from trust.agent.errors import CertificateRefusedError, HandshakeError, ServerNotTrustedError
from trust.agent.transport import Tls
from trust.wire import signatures

SUITES = (
    "ECDHE-ECDSA-AES256-GCM-SHA384",
    "ECDHE-RSA-AES256-GCM-SHA384",
    "ECDHE-ECDSA-CHACHA20-POLY1305",
    "ECDHE-RSA-CHACHA20-POLY1305",
    "ECDHE-ECDSA-AES128-GCM-SHA256",
    "ECDHE-RSA-AES128-GCM-SHA256",
)
# Alerts (RFC 8446 §6.2) by which a server turns a certificate down, as OpenSSL spells them.
ABOUT_THE_CERTIFICATE = ("CERTIFICATE", "UNKNOWN_CA", "ACCESS_DENIED", "DECRYPT_ERROR")


NO_CHECK_TIME = ssl.VerifyFlags(0x200000)  # X509_V_FLAG_NO_CHECK_TIME of OpenSSL, which `ssl` does not name
CLOCK_IS_WRONG_BY = timedelta(hours=25)
"""So much a machine's clock may be wrong by: a day, a forgotten time zone. Who has the server's time knows better, but
it comes over this connection."""


def context(tls: Tls) -> ssl.SSLContext:
    """Return a context for one connection; raises HandshakeError for a certificate of one's own that cannot be used."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.minimum_version = ssl.TLSVersion.TLSv1_2
    made.set_ciphers(":".join(SUITES))
    if tls.roots:
        made.load_verify_locations(cadata=b"".join((*tls.roots, *tls.bridges)))
        made.verify_flags |= NO_CHECK_TIME  # `check_time` does, with patience
    else:
        made.check_hostname = False
        made.verify_mode = ssl.CERT_NONE
    if tls.certificate and tls.key:
        try:
            made.load_cert_chain(tls.certificate, tls.key)
        except (OSError, ssl.SSLError) as error:
            raise HandshakeError("The client's own certificate or key cannot be read.", code="own-key") from error
    return made


def check_time(connection: ssl.SSLSocket, now: datetime) -> float:
    """Return how many seconds the server's certificate is still valid, which a wrong clock makes fewer than none.

    Raises ServerNotTrustedError unless it is valid now, as far as this clock can tell. Nothing above it ends before it
    does (`keys.validity`).
    """
    shown = signatures.certificate_of(connection.getpeercert(binary_form=True) or b"")
    begins, ends = shown.not_valid_before_utc, shown.not_valid_after_utc
    if now + CLOCK_IS_WRONG_BY < begins or now - CLOCK_IS_WRONG_BY >= ends:
        raise ServerNotTrustedError(
            f"The server is not trusted: its certificate is valid from {begins:%Y-%m-%d} to {ends:%Y-%m-%d}, and this "
            f"machine's clock says {now:%Y-%m-%d}."
        )
    return (ends - now).total_seconds()


def failure(error: ssl.SSLError, *, shown: bool) -> HandshakeError:
    """Return what an error of `ssl` means; `shown`: a certificate of one's own was presented."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return ServerNotTrustedError(f"The server is not trusted: {error.verify_message}.")
    reason = str(error.reason or "connection closed")
    if shown and "ALERT" in reason and any(word in reason for word in ABOUT_THE_CERTIFICATE):
        return CertificateRefusedError(f"The server does not take the certificate of this client ({reason}).")
    return HandshakeError(f"The TLS handshake failed ({reason}).")
