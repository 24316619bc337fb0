"""The gateway's certificate and the CA of its clients: a P12 file and a PEM file, as the ssl module takes them."""

import ssl
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.serialization import pkcs12

from hsm.gateway.config import ConfigError, bound_file
from serving.tls import server_context

SOON = timedelta(days=30)


@dataclass(frozen=True)
class Identity:
    """The certificate with its key; prints without the key."""

    certificate: x509.Certificate
    _pem: bytes

    def __repr__(self) -> str:
        return f"Identity({self.certificate.subject.rfc4514_string()})"

    def complaint(self, now: datetime) -> str:
        """Return what is wrong with the certificate's dates, or an empty text."""
        ends = self.certificate.not_valid_after_utc
        if now > ends:
            return f"The gateway's certificate expired on {ends:%Y-%m-%d %H:%M} UTC: clients refuse it."
        if now < self.certificate.not_valid_before_utc:
            return f"The gateway's certificate is valid from {self.certificate.not_valid_before_utc:%Y-%m-%d %H:%M} UTC"
        if now + SOON > ends:
            return f"The gateway's certificate expires on {ends:%Y-%m-%d %H:%M} UTC."
        return ""

    def context(self) -> ssl.SSLContext:
        """Return a context with this certificate. Raises ssl.SSLError."""
        return server_context(self._pem)


def open_p12(path: Path, password: bytes) -> Identity:
    """Return what the P12 file holds. Raises ConfigError."""
    content = bound_file(path, "CERT_FILE")
    # OpenSSL writes an empty export password as such; other tools leave the password out.
    for attempt in (password, *([] if password else [None])):
        with suppress(ValueError):
            key, certificate, others = pkcs12.load_key_and_certificates(content, attempt)
            break
    else:
        raise ConfigError(_closed(path, has_password=bool(password)))
    if key is None or certificate is None:
        missing = "private key" if key is None else "certificate that fits its private key"
        raise ConfigError(f"CERT_FILE: {path} holds no {missing}.")
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ) + b"".join(item.public_bytes(serialization.Encoding.PEM) for item in (certificate, *others))
    return Identity(certificate, pem)


def _closed(path: Path, *, has_password: bool) -> str:
    asked = "with the password in CERT_PASSWORD_FILE" if has_password else "without a password"
    return (
        f"CERT_FILE: {path} does not open {asked}, or is no P12 file. Make one with: "
        "openssl pkcs12 -export -out cert.p12 -inkey key.pem -in cert.pem"
    )


def context_of(identity: Identity, ca_file: Path | None) -> ssl.SSLContext:
    """Return a context with the gateway's certificate; with a CA file only its clients finish the handshake.

    Raises ConfigError.
    """
    try:
        context = identity.context()
    except ssl.SSLError as error:
        raise ConfigError(f"CERT_FILE: OpenSSL does not take the certificate or its key: {error.reason}.") from error
    if ca_file is not None:
        _require_clients_of(context, ca_file)
    return context


def _require_clients_of(context: ssl.SSLContext, ca_file: Path) -> None:
    content = bound_file(ca_file, "CA_FILE")
    try:
        context.load_verify_locations(cadata=content.decode("ascii"))
    except (ssl.SSLError, ValueError) as error:
        raise ConfigError(f"CA_FILE: {ca_file} is not a file of certificates in PEM.") from error
    if not context.get_ca_certs():
        raise ConfigError(f"CA_FILE: {ca_file} holds no CA certificate.")
    context.verify_mode = ssl.CERT_REQUIRED
