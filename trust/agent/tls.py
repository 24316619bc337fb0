"""TLS of a client: 1.2 with exactly six suites (TLS-12), or 1.3."""

import ssl

from trust.agent.errors import CertificateRefusedError, HandshakeError, ServerNotTrustedError
from trust.agent.transport import Tls

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


def context(tls: Tls) -> ssl.SSLContext:
    """Return a context for one connection; raises HandshakeError for a certificate of one's own that cannot be used."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.minimum_version = ssl.TLSVersion.TLSv1_2
    made.set_ciphers(":".join(SUITES))
    if tls.roots:
        made.load_verify_locations(cadata=b"".join(tls.roots))
    else:
        made.check_hostname = False
        made.verify_mode = ssl.CERT_NONE
    if tls.certificate and tls.key:
        try:
            made.load_cert_chain(tls.certificate, tls.key)
        except (OSError, ssl.SSLError) as error:
            raise HandshakeError("The client's own certificate or key cannot be read.", code="own-key") from error
    return made


def failure(error: ssl.SSLError, *, shown: bool) -> HandshakeError:
    """Return what an error of `ssl` means; `shown`: a certificate of one's own was presented."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return ServerNotTrustedError(f"The server is not trusted: {error.verify_message}.")
    reason = str(error.reason or "connection closed")
    if shown and "ALERT" in reason and any(word in reason for word in ABOUT_THE_CERTIFICATE):
        return CertificateRefusedError(f"The server does not take the certificate of this client ({reason}).")
    return HandshakeError(f"The TLS handshake failed ({reason}).")
