"""What TLS of servers, and of the console towards gateways, has in common: suites, and how a key reaches OpenSSL."""

import fcntl
import os
import ssl
from collections.abc import Iterator
from contextlib import contextmanager

# TLS-12: for TLS 1.2 exactly these. What set_ciphers is given does not touch the suites of TLS 1.3.
TLS12_SUITES = (
    "ECDHE-ECDSA-AES256-GCM-SHA384",
    "ECDHE-RSA-AES256-GCM-SHA384",
    "ECDHE-ECDSA-CHACHA20-POLY1305",
    "ECDHE-RSA-CHACHA20-POLY1305",
    "ECDHE-ECDSA-AES128-GCM-SHA256",
    "ECDHE-RSA-AES128-GCM-SHA256",
)
SEALS = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE | fcntl.F_SEAL_SEAL


@contextmanager
def memory_file(content: bytes) -> Iterator[str]:
    """Yield a path of a memory file, for a key in PEM: no name on a disk, gone after the block."""
    descriptor = os.memfd_create("certificate", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    try:
        with open(descriptor, "wb", closefd=False) as file:
            file.write(content)
        fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, SEALS)
        yield f"/proc/self/fd/{descriptor}"
    finally:
        os.close(descriptor)


def server_context(pem: bytes) -> ssl.SSLContext:
    """Return a context with a key and its chain, and nothing old: TLS 1.2 or later. Raises ssl.SSLError."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(":".join(TLS12_SUITES))
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION | ssl.OP_CIPHER_SERVER_PREFERENCE
    with memory_file(pem) as path:
        context.load_cert_chain(path)
    return context
