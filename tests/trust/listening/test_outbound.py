"""Connections that the platform's own programs make: TLS 1.2 is the least they speak (TLS-03)."""

import socket
import ssl
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from hsm.device import gatewaytls
from tests.fixtures.certificates import Authority, Issued
from tests.fixtures.listener import free_port
from tests.fixtures.processes import wait_for
from trust.agent import tls as agenttls
from trust.agent.transport import Tls

NAME = "server.example.com"
ANYTHING = ("-cipher", "ALL:@SECLEVEL=0")


@contextmanager
def server(issued: Issued, folder: Path, *versions: str) -> Iterator[int]:
    """Run a server of `openssl s_server` that speaks these versions; yield its port."""
    (folder / "server.pem").write_text(issued.pem + issued.key_pem)
    port = free_port()
    command = ("openssl", "s_server", "-accept", f"127.0.0.1:{port}", "-cert", str(folder / "server.pem"), "-quiet")
    with subprocess.Popen(
        [*command, *versions, *ANYTHING], stdin=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as running:
        try:
            wait_for(lambda: _listens(port), what="the server")
            yield port
        finally:
            running.kill()


def _listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=5).close()
    except OSError:
        return False
    return True


def version_with(context: ssl.SSLContext, port: int) -> str | None:
    """Return the version of a handshake; raises ssl.SSLError."""
    with (
        socket.create_connection(("127.0.0.1", port), timeout=60) as raw,
        context.wrap_socket(raw, server_hostname=NAME) as connection,
    ):
        return connection.version()


def to_a_gateway(authority: Authority) -> ssl.SSLContext:
    context = gatewaytls.client_context(authority.pem, None, check_name=True)
    context.sslsocket_class = ssl.SSLSocket  # its own has a deadline, which is looked at elsewhere
    return context


def of_the_agent(authority: Authority) -> ssl.SSLContext:
    return agenttls.context(Tls(roots=(ssl.PEM_cert_to_DER_cert(authority.pem),)))


@pytest.mark.parametrize("make", [to_a_gateway, of_the_agent])
def test_a_server_of_tls_11_is_refused_and_12_and_13_work(
    make: Callable[[Authority], ssl.SSLContext], tmp_path: Path
) -> None:
    authority = Authority("Keystead test")
    issued = authority.issue("server", (NAME,))
    with server(issued, tmp_path, "-tls1_1") as port:
        with pytest.raises(ssl.SSLError):
            version_with(make(authority), port)
        # It does serve those who speak it.
        done = subprocess.run(
            ["openssl", "s_client", "-connect", f"127.0.0.1:{port}", "-tls1_1", *ANYTHING],
            input="",
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert "Protocol  : TLSv1.1" in done.stdout
        assert "Cipher is (NONE)" not in done.stdout
    with server(issued, tmp_path, "-tls1_2") as port:
        assert version_with(make(authority), port) == "TLSv1.2"
    with server(issued, tmp_path, "-tls1_3") as port:
        assert version_with(make(authority), port) == "TLSv1.3"
