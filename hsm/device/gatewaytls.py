"""TLS of the console towards a gateway: what is trusted, who we are, and whose certificate it is."""

import ssl
import time
from ipaddress import ip_address
from typing import Any

from hsm.device.codes import error_for
from serving.tls import TLS12_SUITES, memory_file


class DeadlineSocket(ssl.SSLSocket):
    """A TLS socket whose every step ends at `deadline` (time.monotonic()), however slowly the other side dribbles."""

    deadline: float

    def recv_into(self, buffer: Any, nbytes: int | None = None, flags: int = 0) -> int:
        """Receive, until the deadline."""
        self._arm()
        return super().recv_into(buffer, nbytes, flags)

    def send(self, data: Any, flags: int = 0) -> int:
        """Send, until the deadline; `sendall` goes through here too."""
        self._arm()
        return super().send(data, flags)

    def _arm(self) -> None:
        left = self.deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        self.settimeout(left)


def client_context(ca_pem: str | None, client_pem: bytes | None, *, check_name: bool) -> ssl.SSLContext:
    """Return the settings of connections to one gateway. Raises DeviceError GATEWAY_TLS_SETTINGS.

    Without `ca_pem` the CAs of the system are trusted (GRP-13), with it only what it holds (GRP-14): CAs, or the
    gateway's own certificate when that is self-signed. `client_pem` is the client certificate and its key.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.sslsocket_class = DeadlineSocket
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(":".join(TLS12_SUITES))
    context.options |= ssl.OP_NO_RENEGOTIATION
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN  # what was entered as trusted is, also when it is no CA
    context.check_hostname = check_name
    try:
        if ca_pem is None:
            context.load_default_certs()
        else:
            context.load_verify_locations(cadata=ca_pem)
        if client_pem is not None:
            _load_client(context, client_pem)
    except (ssl.SSLError, OSError, ValueError) as error:
        raise error_for("GATEWAY_TLS_SETTINGS") from error
    return context


def is_for_ip(certificate: dict[str, Any] | None, host: str) -> bool:
    """Say whether a certificate, as `getpeercert` gives it, is for this IP address.

    OpenSSL looks for an IP address in subjectAltName only. Self-signed certificates often have it as their Common Name
    (GRP-18), which counts, as for host names (RFC 6125 §6.4.4), when there is no subjectAltName.
    """
    names = (certificate or {}).get("subjectAltName", ())
    if names:
        found = (value.strip() for kind, value in names if kind == "IP Address")
    else:
        subject = (certificate or {}).get("subject", ())
        found = (value for parts in subject for kind, value in parts if kind == "commonName")
    return any(_same_ip(value, host) for value in found)


def _same_ip(value: str, host: str) -> bool:
    try:
        return ip_address(value) == ip_address(host)
    except ValueError:
        return False


def _load_client(context: ssl.SSLContext, pem: bytes) -> None:
    """Give OpenSSL, which reads files only, the certificate and the key from memory."""
    with memory_file(pem) as path:
        # An encrypted key must fail, not ask for its passphrase at the terminal.
        context.load_cert_chain(path, password=lambda: "")
