"""Programs that are not ours enrol through the real listener: strongSwan's pki, and curl with openssl."""

import base64
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, pkcs7
from pytest_django import Settings

from tests.fixtures.listener import Listener
from tests.trust.clients.est.requesting import Made
from trust.models.certificates import Certificate, Ground

pytestmark = [pytest.mark.slow, pytest.mark.one_database, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def on_localhost(settings: Settings) -> None:
    """Name the server so that strongSwan, which asks no other resolver than the system's, finds it."""
    settings.SERVER_NAME = "localhost"


def run(*command: str, folder: Path, expect: int = 0, **further: str) -> bytes:
    """Run a program and return what it wrote."""
    found = shutil.which(command[0])
    assert found, f"{command[0]} is not installed"
    done = subprocess.run(
        [found, *command[1:]], cwd=folder, env={**os.environ, **further}, capture_output=True, timeout=120, check=False
    )
    assert done.returncode == expect, (command, done.returncode, done.stderr.decode())
    return done.stdout


def test_programs_that_are_not_ours(
    on_localhost: None, listener: Listener, make_credential: Callable[..., Made], tmp_path: Path
) -> None:
    made = make_credential()
    listener.roots_file(tmp_path)
    curl_and_openssl(listener, made, tmp_path)
    strongswan(listener, made, tmp_path)
    names = Certificate.objects.order_by("id").values_list("client__name", "ground")
    assert list(names) == [
        ("curl.example.com", Ground.CREDENTIAL),
        ("curl.example.com", Ground.RENEWAL),
        ("swan.example.com", Ground.CREDENTIAL),
        ("swan.example.com", Ground.RENEWAL),
    ]


def curl_and_openssl(listener: Listener, made: Made, tmp_path: Path) -> None:
    url = f"https://{listener.fqdn}:{listener.port}/.well-known/est"
    curl = ("curl", "--silent", "--show-error", "--cacert", "roots.pem")

    def post(operation: str, request: str, *more: str) -> bytes:
        run("openssl", "base64", "-in", request, "-out", f"{request}.b64", folder=tmp_path)
        kind = ("-H", "Content-Type: application/pkcs10", "-H", "Content-Transfer-Encoding: base64")
        return run(*curl, *kind, "--data-binary", f"@{request}.b64", *more, f"{url}/{operation}", folder=tmp_path)

    # cacerts: openssl reads the bundle, and the chain verifies.
    run(*curl, "-o", "ca.b64", f"{url}/cacerts", folder=tmp_path)
    run("openssl", "base64", "-d", "-A", "-in", "ca.b64", "-out", "ca.p7", folder=tmp_path)
    bundle = run("openssl", "pkcs7", "-inform", "DER", "-in", "ca.p7", "-print_certs", folder=tmp_path)
    (tmp_path / "bundle.pem").write_bytes(bundle)
    assert bundle.count(b"BEGIN CERTIFICATE") == 2  # the intermediate and Root 0
    attributes = base64.b64decode(run(*curl, f"{url}/csrattrs", folder=tmp_path))
    (tmp_path / "attributes.der").write_bytes(attributes)
    told = run("openssl", "asn1parse", "-inform", "DER", "-in", "attributes.der", folder=tmp_path)
    assert b"prime256v1" in told
    assert b"ecdsa-with-SHA256" in told

    run("openssl", "ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", "c.key", folder=tmp_path)
    name = ("-subj", "/CN=curl.example.com", "-addext", "subjectAltName=DNS:curl.example.com")
    run("openssl", "req", "-new", "-key", "c.key", *name, "-outform", "DER", "-out", "c.csr", folder=tmp_path)
    refused = post("simpleenroll", "c.csr", "-D", "refused.txt")
    assert refused == b"Send the enrolment credential of your infrastructure file.\n"
    head = (tmp_path / "refused.txt").read_text()
    assert head.startswith("HTTP/1.1 401 ")
    assert "WWW-Authenticate: Basic realm=" in head

    def certificate_of(answer: bytes, target: str) -> None:
        assert b"\n" not in answer
        (found,) = pkcs7.load_der_pkcs7_certificates(base64.b64decode(answer, validate=True))
        (tmp_path / target).write_bytes(found.public_bytes(Encoding.PEM))
        run("openssl", "verify", "-CAfile", "bundle.pem", "-purpose", "sslclient", target, folder=tmp_path)

    user = ("--user", f"{made.row.pk}:{made.secret}")
    first = post("simpleenroll", "c.csr", *user)
    certificate_of(first, "c.pem")
    assert post("simpleenroll", "c.csr", *user) == first
    shows = ("--cert", "c.pem", "--key", "c.key")
    certificate_of(post("simplereenroll", "c.csr", *shows), "c2.pem")
    assert (tmp_path / "c2.pem").read_bytes() != (tmp_path / "c.pem").read_bytes()


def strongswan(listener: Listener, made: Made, tmp_path: Path) -> None:
    url = ("--url", f"https://{listener.fqdn}:{listener.port}")
    trusted = ("--cacert", "roots.pem")
    run("pki", "--estca", *url, *trusted, "--caout", "ca.pem", "--outform", "pem", "--force", folder=tmp_path)
    (tmp_path / "c.key").write_bytes(run("pki", "--gen", "--type", "ecdsa", "--size", "256", folder=tmp_path))
    request = ("pki", "--req", "--in", "c.key", "--type", "ecdsa", "--dn", "CN=swan.example.com")
    (tmp_path / "c.csr").write_bytes(run(*request, "--san", "swan.example.com", folder=tmp_path))
    est = ("pki", "--est", *url, *trusted, "--in", "c.csr", "--outform", "pem")
    first = run(*est, "--userpass", f"{made.row.pk}:{made.secret}", folder=tmp_path)
    (tmp_path / "c.pem").write_bytes(first)
    renewed = run(*est, "--cert", "c.pem", "--key", "c.key", folder=tmp_path)
    found = [x509.load_pem_x509_certificate(pem) for pem in (first, renewed)]
    rows = Certificate.objects.filter(client__name="swan.example.com").order_by("id")
    assert [row.serial for row in rows] == [f"{certificate.serial_number:x}" for certificate in found]
