"""TLS of the gateway as other people's clients see it (TLS-12, DMN-03, 08, 09, 14, 23; GRP-49)."""

import http.client
import socket
import ssl
import subprocess
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.fixtures.certificates import Authority
from tests.fixtures.gateway import NAMES, Gateways, RunningGateway
from tests.hsm.device.conftest import folder
from tests.hsm.device.tokens import SOFTHSM, TokenFarm
from tests.hsm.gateway.asking import Client, health, health_tls, tls
from tests.hsm.gateway.conftest import Served

ECDSA_SUITES = ("ECDHE-ECDSA-AES256-GCM-SHA384", "ECDHE-ECDSA-CHACHA20-POLY1305", "ECDHE-ECDSA-AES128-GCM-SHA256")
RSA_SUITES = tuple(suite.replace("ECDSA", "RSA") for suite in ECDSA_SUITES)
REFUSED = (
    "AES256-SHA",
    "AES128-GCM-SHA256",
    "ECDHE-ECDSA-AES256-SHA384",
    "ECDHE-RSA-AES128-SHA",
    "DHE-RSA-AES256-GCM-SHA384",
)


@pytest.fixture(scope="module")
def rsa_gateway() -> Iterator[RunningGateway]:
    """Serve with an RSA certificate."""
    with folder() as place, Gateways(place / "gateways") as gateways:
        farm = TokenFarm(place)
        farm.make("rsa")
        issued = gateways.authority.issue("gateway", NAMES, key=rsa.generate_private_key(65537, 2048))
        yield gateways.start(SOFTHSM, issued=issued, environment=farm.environment)


def test_tls_1_2_has_exactly_six_suites(served: Served, rsa_gateway: RunningGateway) -> None:
    assert [suite for suite in (*ECDSA_SUITES, *RSA_SUITES, *REFUSED) if _takes(served.gateway, suite)] == [
        *ECDSA_SUITES
    ]
    assert [suite for suite in (*ECDSA_SUITES, *RSA_SUITES, *REFUSED) if _takes(rsa_gateway, suite)] == [*RSA_SUITES]


def test_tls_1_3_and_nothing_before_1_2(served: Served) -> None:
    assert "TLSv1.3" in _s_client(served.gateway.port, "-tls1_3")
    assert "Cipher is (NONE)" in _s_client(served.gateway.port, "-tls1_1", "-cipher", "ALL:@SECLEVEL=0")
    for port in (served.gateway.port, served.gateway.health_tls_port):
        assert "TLSv1.2" in _s_client(port, "-tls1_2")


def test_a_self_signed_p12_made_by_the_commands_of_the_manual(tmp_path: Path) -> None:
    """DMN-08, DMN-09, word for word; the export password stays empty."""
    commands = (
        "openssl req -x509 -newkey rsa:4096 -keyout key.pem -out cert.pem -days 365 -nodes",
        "openssl pkcs12 -export -out cert.p12 -inkey key.pem -in cert.pem",
    )
    answers = ("DE\n.\n.\n.\n.\nlocalhost\n.\n", "\n\n")
    for command, answer in zip(commands, answers, strict=True):
        # Without a terminal openssl asks on stdin.
        subprocess.run(command.split(), input=answer, text=True, cwd=tmp_path, check=True, start_new_session=True)
    with folder() as place, Gateways(place / "gateways") as gateways:
        farm = TokenFarm(place)
        farm.make("self-signed")
        gateway = gateways.prepare(
            SOFTHSM, environment=farm.environment, settings={"CERT_FILE": str(tmp_path / "cert.p12")}
        )
        gateway.start()
        curl = ["curl", "--silent", "--cacert", "cert.pem", "--write-out", "%{http_code}", "--resolve"]
        curl += [f"localhost:{gateway.health_tls_port}:{gateway.address}"]
        done = subprocess.run(
            [*curl, f"https://localhost:{gateway.health_tls_port}/health"],
            check=False,
            cwd=tmp_path,
            capture_output=True,
            text=True,
        )
        assert done.stdout == "204", done


def test_with_a_ca_file_only_its_clients_get_in(tmp_path: Path) -> None:
    clients, foreign = Authority("Console clients"), Authority("Somebody else")
    (tmp_path / "clients.pem").write_text(clients.pem)
    with folder() as place, Gateways(place / "gateways") as gateways:
        farm = TokenFarm(place)
        token = farm.make("mutual")
        gateway = gateways.start(SOFTHSM, ca_file=tmp_path / "clients.pem", environment=farm.environment)
        gateway.slot = int(token.serial[-8:], 16) & 0x7FFF_FFFF
        good = tls(gateway, clients.issue("console"), tmp_path)
        with Client(gateway, token.pin, context=good) as client:
            answer = client.ask("token")
            assert (answer.status, answer.body["is_open"]) == (200, False)
        assert "CA_FILE is not set" not in gateway.log
        for refused in (tls(gateway), tls(gateway, foreign.issue("console"), tmp_path)):
            for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
                refused.maximum_version = version
                with (
                    pytest.raises((ssl.SSLError, ConnectionError)),
                    Client(gateway, token.pin, context=refused) as client,
                ):
                    client.ask("token")
        expired = clients.issue("console", lasts=timedelta(minutes=-1), begins=timedelta(days=-2))
        with (
            pytest.raises((ssl.SSLError, ConnectionError)),
            Client(gateway, context=tls(gateway, expired, tmp_path)) as client,
        ):
            client.ask("token")
        # A load balancer has no client certificate.
        assert (health(gateway), health_tls(gateway)) == (204, 204)
        with Client(gateway, token.pin, context=good) as client:
            assert client.ask("token").status == 200
        # The CA is taken up from the disk as the certificate is.
        (tmp_path / "clients.pem").write_text(foreign.pem + clients.pem)
        with Client(gateway, token.pin, context=tls(gateway, foreign.issue("console"), tmp_path)) as client:
            assert client.ask("token").status == 200


def test_without_a_ca_file_it_warns_at_start(served: Served) -> None:
    assert "CA_FILE is not set" in served.gateway.log


def test_a_renewed_certificate_is_taken_up_and_a_broken_one_is_not(fresh: Served) -> None:
    gateway = fresh.gateway
    gateway.start()
    place = gateway.folder / "cert.p12"
    other = Authority("Renewed")
    first = _served_certificate(gateway)
    with fresh.client() as kept:
        assert kept.ask("token").status == 200
        _replace(place, b"half a file")
        assert _served_certificate(gateway) == first
        assert "the former one stays" in gateway.log
        place.unlink()
        assert _served_certificate(gateway) == first
        _replace(place, other.issue("gateway", NAMES).p12())
        renewed = _served_certificate(gateway)
        assert renewed != first
        assert kept.ask("token").status == 200  # a connection that stands goes on
    gateway.ca_pem = other.pem
    with fresh.client() as client:
        assert client.ask("token").status == 200
    assert health_tls(gateway) == 204


def test_an_expired_certificate_is_warned_of(fresh: Served, tmp_path: Path) -> None:
    expired = Authority("Old").issue("gateway", NAMES, lasts=timedelta(days=-1), begins=timedelta(days=-3))
    _replace(fresh.gateway.folder / "cert.p12", expired.p12())
    fresh.gateway.start()
    assert "certificate expired on" in fresh.gateway.log


def test_a_p12_that_others_may_read_is_warned_of(fresh: Served) -> None:
    (fresh.gateway.folder / "cert.p12").chmod(0o644)
    fresh.gateway.start()
    assert "others may read" in fresh.gateway.log


def test_http_in_clear_gets_nothing_on_the_tls_port(served: Served) -> None:
    connection = http.client.HTTPConnection(served.gateway.address, served.gateway.port, timeout=60)
    connection.request("POST", "/v1/token", b"{}")
    with pytest.raises((http.client.HTTPException, ConnectionError)):
        connection.getresponse()
    assert "Traceback" not in served.gateway.log


def _takes(gateway: RunningGateway, suite: str) -> bool:
    return f"Cipher is {suite}" in _s_client(gateway.port, "-tls1_2", "-cipher", f"{suite}:@SECLEVEL=0")


def _s_client(port: int, *arguments: str) -> str:
    command = ["openssl", "s_client", "-connect", f"127.0.0.1:{port}", *arguments]
    done = subprocess.run(command, input="", capture_output=True, text=True, timeout=60, check=False)
    return done.stdout + done.stderr


def _served_certificate(gateway: RunningGateway) -> bytes:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with socket.create_connection((gateway.address, gateway.port), 60) as plain, context.wrap_socket(plain) as wrapped:
        found = wrapped.getpeercert(binary_form=True)
        assert found
        return found


def _replace(path: Path, content: bytes) -> None:
    draft = path.with_suffix(".new")
    draft.write_bytes(content)
    draft.rename(path)
