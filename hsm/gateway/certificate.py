"""The gateway's certificate and the CA of its clients: a P12 file and a PEM file, as the ssl module takes them."""

import fcntl
import os
import ssl
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.serialization import pkcs12

from hsm.gateway.config import ConfigError, bound_file

# TLS-12: for TLS 1.2 exactly these. What set_ciphers is given does not touch the suites of TLS 1.3.
TLS12_SUITES = (
    "ECDHE-ECDSA-AES256-GCM-SHA384",
    "ECDHE-RSA-AES256-GCM-SHA384",
    "ECDHE-ECDSA-CHACHA20-POLY1305",
    "ECDHE-RSA-CHACHA20-POLY1305",
    "ECDHE-ECDSA-AES128-GCM-SHA256",
    "ECDHE-RSA-AES128-GCM-SHA256",
)
SOON = timedelta(days=30)
SEALS = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE | fcntl.F_SEAL_SEAL


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

    @contextmanager
    def pem_path(self) -> Iterator[str]:
        """Yield a path of a memory file with key and chain in PEM: no name on a disk, gone after the block."""
        descriptor = os.memfd_create("certificate", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        try:
            with open(descriptor, "wb", closefd=False) as file:
                file.write(self._pem)
            fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, SEALS)
            yield f"/proc/self/fd/{descriptor}"
        finally:
            os.close(descriptor)


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


def server_context(identity: Identity, ca_file: Path | None) -> ssl.SSLContext:
    """Return a context with the gateway's certificate; with a CA file only its clients finish the handshake.

    Raises ConfigError.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(":".join(TLS12_SUITES))
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION | ssl.OP_CIPHER_SERVER_PREFERENCE
    try:
        with identity.pem_path() as path:
            context.load_cert_chain(path)
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
