"""What the listener agrees to in a handshake, asked by openssl and by Python."""

import re
import socket
import ssl
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from console.servers.models import Server
from keys import rotation
from keys import setup as keys_setup
from keys.models.root import Root, RootKind
from serving.tls import TLS12_SUITES
from tests.fixtures.flags import set_flag
from tests.fixtures.listener import Listener
from tests.fixtures.processes import wait_for


@pytest.fixture
def with_legacy(listener_keys: Server, listener_of: Callable[..., Listener]) -> Listener:
    """Start a listener that serves Client 7.2 too."""
    keys_setup.make_legacy_root()
    set_flag("enable_protocol_314_flag", 1)
    keys_setup.make_subordinates()
    started = listener_of()
    assert started.file()
    started.start()
    return started


def s_client(listener: Listener, *arguments: str, name: str = "") -> str:
    """Return what `openssl s_client` says of a handshake."""
    done = subprocess.run(
        [
            *("openssl", "s_client", "-connect", f"{listener.address}:{listener.port}"),
            *("-servername", name or listener.fqdn, "-verify_return_error", *arguments),
        ],
        input="",
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    return done.stdout + done.stderr


def agreed(said: str) -> tuple[str, str]:
    """Return protocol and suite of a handshake that succeeded; nothing for one that did not."""
    found = re.search(r"^New, (\S+), Cipher is (\S+)$", said, re.MULTILINE)
    protocol = re.search(r"^ *Protocol *: (\S+)$", said, re.MULTILINE)
    if found is None or found[2] == "(NONE)":
        return "", ""
    return (protocol[1] if protocol else found[1]), found[2]


@pytest.mark.one_database
def test_tls_12_has_exactly_six_suites_and_nothing_older_is_spoken(with_legacy: Listener, tmp_path: Path) -> None:
    # TLS-01, TLS-12
    roots = str(with_legacy.roots_file(tmp_path))
    legacy_root = Root.objects.get(kind=RootKind.LEGACY)
    legacy_file = tmp_path / "legacy.pem"
    certificate = x509.load_der_x509_certificate(bytes(legacy_root.certificate_der))
    legacy_file.write_bytes(certificate.public_bytes(Encoding.PEM))
    legacy = {"name": f"legacy.{with_legacy.fqdn}"}
    for suite in TLS12_SUITES:
        if "RSA" in suite:
            said = s_client(with_legacy, "-tls1_2", "-cipher", suite, "-CAfile", str(legacy_file), **legacy)
        else:
            said = s_client(with_legacy, "-tls1_2", "-cipher", suite, "-CAfile", roots)
        assert agreed(said) == ("TLSv1.2", suite), said
    # A key of the other kind cannot sign for a suite; every other suite is refused, with either key.
    for suite in ("ECDHE-RSA-AES128-GCM-SHA256", "AES256-SHA", "AES128-GCM-SHA256", "ECDHE-ECDSA-AES128-SHA"):
        assert agreed(s_client(with_legacy, "-tls1_2", "-cipher", f"{suite}:@SECLEVEL=0")) == ("", "")
    others = "ALL:COMPLEMENTOFALL:" + ":".join(f"!{suite}" for suite in TLS12_SUITES) + ":@SECLEVEL=0"
    for arguments in ((), (legacy["name"],)):
        name = arguments[0] if arguments else ""
        assert agreed(s_client(with_legacy, "-tls1_2", "-cipher", others, name=name)) == ("", "")
    for old in ("-tls1_1", "-tls1"):
        said = s_client(with_legacy, old, "-cipher", "ALL:@SECLEVEL=0")
        assert agreed(said) == ("", ""), said
        assert "alert protocol version" in said
    # TLS 1.3 while its flag is set, which needs no restart (and back).
    assert agreed(s_client(with_legacy, "-tls1_3", "-CAfile", roots))[0] == "TLSv1.3"
    set_flag("allow_tls13", 0)
    wait_for(lambda: agreed(s_client(with_legacy, "-tls1_3")) == ("", ""), what="the end of TLS 1.3")
    assert agreed(s_client(with_legacy, "-CAfile", roots))[0] == "TLSv1.2"
    set_flag("allow_tls13", 1)
    wait_for(lambda: agreed(s_client(with_legacy, "-tls1_3"))[0] == "TLSv1.3", what="TLS 1.3 again")

    # KEY-08, TLS-13: 7.4 clients find a chain to the numbered root, 7.2 clients one to legacy-root, by name.
    modern = s_client(with_legacy, "-CAfile", roots, "-showcerts")
    assert "Verify return code: 0 (ok)" in modern
    assert "Verify return code: 0 (ok)" in s_client(with_legacy, "-CAfile", str(legacy_file), **legacy)
    assert "Verify return code: 0 (ok)" not in s_client(with_legacy, "-CAfile", roots, **legacy)
    assert "Verify return code: 0 (ok)" not in s_client(with_legacy, "-CAfile", str(legacy_file))
    # A name that is not known gets the same as no name; only legacy.<fqdn> is special.
    assert "Verify return code: 0 (ok)" in s_client(with_legacy, "-CAfile", roots, name="somebody.example.com")

    # Protocol 314 is switched off: the name has no certificate any more, and says so.
    set_flag("enable_protocol_314_flag", 0)
    assert with_legacy.server
    rotation.start_due(with_legacy.server)
    assert with_legacy.file()
    assert "unrecognized name" in s_client(with_legacy, "-CAfile", str(legacy_file), **legacy)


@pytest.mark.one_database
def test_sessions_are_their_own(listener: Listener, tmp_path: Path) -> None:
    # TLS-09: an ephemeral key for each session, and no ticket that would lead back into one.
    keys: dict[str, set[str]] = {}
    for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        log = tmp_path / f"{version.name}.keys"
        context = listener.context()
        context.minimum_version = context.maximum_version = version
        context.keylog_filename = str(log)
        for _ in range(2):
            raw = socket.create_connection((listener.address, listener.port), timeout=60)
            with context.wrap_socket(raw, server_hostname=listener.fqdn) as connection:
                connection.sendall(b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n")
                assert connection.recv(4096).startswith(b"HTTP/1.1 200")
                session, cipher = connection.session, connection.cipher()
                assert session is None or not session.has_ticket
                assert cipher is not None
                assert cipher[0].startswith(("ECDHE-", "TLS_"))  # TLS 1.3 knows ephemeral keys only
        lines = [line.split() for line in log.read_text().splitlines() if not line.startswith("#")]
        keys[version.name] = {words[2] for words in lines if words[0] in {"CLIENT_RANDOM", "CLIENT_TRAFFIC_SECRET_0"}}
    assert {version: len(secrets) for version, secrets in keys.items()} == {"TLSv1_2": 2, "TLSv1_3": 2}
