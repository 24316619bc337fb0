"""Who gets through the handshake, and what the PKI TLS log says of those who do not."""

import http.client
import json
import re
import ssl
import subprocess
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from django.conf import settings

from console.pkilog.line import Line, parse
from tests.fixtures.certificates import Authority
from tests.fixtures.listener import Listener
from tests.fixtures.processes import wait_for
from tests.trust.listening import clients
from trust.listening import handshakes


def tls_log() -> list[Line]:
    path = Path(settings.LOG_DIR) / "pki-tls.log"
    lines = [parse(line) for line in path.read_text().splitlines()] if path.exists() else []
    return [line for line in lines if line]


@pytest.mark.one_database
def test_a_client_is_known_by_a_certificate_below_a_root_and_by_no_other(
    listener_of: Callable[..., Listener], tmp_path: Path
) -> None:
    listener = listener_of(KEYSTEAD_LISTENER_URLS="tests.trust.listening.urls")
    listener.start()

    def whoami(identity: clients.Identity | None) -> tuple[str | None, str, bool]:
        context = listener.context()
        if identity is not None:
            context.load_cert_chain(identity.pem_file(tmp_path))
        connection = listener.connect(context)
        connection.request("GET", "/whoami")
        certificate, address, is_tls = json.loads(connection.getresponse().read())
        return certificate, address, is_tls

    assert whoami(None) == (None, "127.0.0.1", True)
    mine = clients.issued("client1")
    assert whoami(mine)[0] == sha256(mine.chain[0]).hexdigest()
    # curl and strongSwan send their own certificate alone.
    alone = clients.issued("client2", with_issuer=False)
    assert whoami(alone)[0] == sha256(alone.chain[0]).hexdigest()

    # Rogue and expired: the handshake ends, whatever TLS version; the log says why, and who was what (LOG-05, TLS-08).
    refused = {
        "self-signed certificate in certificate chain|unable to get local issuer certificate": clients.rogue("client1"),
        "certificate has expired": clients.expired("client1"),
    }
    for reason, identity in refused.items():
        with pytest.raises((ssl.SSLError, ConnectionError, http.client.HTTPException)):
            whoami(identity)
        pattern = re.compile(f"failed: the client's certificate is not accepted: ({reason})")
        wait_for(lambda: any(pattern.match(line.result) for line in tls_log()), what=reason)  # noqa: B023
    for line in tls_log():
        assert (line.event, line.subject) == ("handshake-failed", f"client 127.0.0.1, server {listener.fqdn}")
    # A flood of them is a line.
    count = len(tls_log())
    for _ in range(5):
        with pytest.raises((ssl.SSLError, ConnectionError, http.client.HTTPException)):
            whoami(refused["certificate has expired"])
    assert len(tls_log()) == count
    # So is what is too old.
    s_client = ("openssl", "s_client", "-connect", f"{listener.address}:{listener.port}", "-tls1_1")
    subprocess.run([*s_client, "-cipher", "ALL:@SECLEVEL=0"], input=b"", capture_output=True, timeout=120, check=False)
    wait_for(lambda: any("unsupported protocol" in line.result for line in tls_log()), what="the line")
    assert "Traceback" not in listener.log.read_text()
    assert whoami(mine)[0]


@pytest.mark.one_database
def test_a_man_in_the_middle_is_refused_by_the_client(listener: Listener, tmp_path: Path) -> None:
    # TLS-02: whoever stands between and decrypts needs a certificate; one that no root signed is refused.
    connection = listener.connect(listener.context(roots=[_stranger()]))
    with pytest.raises(ssl.SSLCertVerificationError):
        connection.request("GET", "/health/live")
    # And of another server's, below the right root, the name is refused.
    with pytest.raises(ssl.SSLCertVerificationError, match="Hostname mismatch"):
        listener.connect(name="other.example.com").request("GET", "/health/live")


def _stranger() -> bytes:
    return Authority("Somebody else").certificate.public_bytes(Encoding.DER)


def test_what_is_quiet_is_counted() -> None:
    now = [0.0]
    quiet = handshakes.Quiet(lambda: now[0])
    assert quiet.admits("10.0.0.1", "expired") == 0
    assert [quiet.admits("10.0.0.1", "expired") for _ in range(3)] == [None] * 3
    assert quiet.admits("10.0.0.2", "expired") == 3
    assert quiet.admits("10.0.0.1", "rogue") == 0
    now[0] += handshakes.QUIET_S
    assert quiet.admits("10.0.0.1", "expired") == 0
    # Many addresses are no way around it.
    written = [quiet.admits(f"10.1.0.{number}", "expired") for number in range(200)]
    assert sum(one is not None for one in written) == handshakes.MOST_A_MINUTE - 1
