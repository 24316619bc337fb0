"""Enrolments a second: ours by EST over TLS, cfssl's over plain HTTP, on the same database server in the same run.

Both sign EC P-256 by a key in memory and store each certificate before they answer. Ours authenticates, checks names,
keeps a row for each client and counts the uses of the credential besides; cfssl stores the certificate.
"""

import base64
import json
import secrets
import socket
import sqlite3
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from statistics import median

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from bench import stage

AT_ONCE = 8
IN_A_ROUND = 800
ROUNDS = 7
WARM_UP = 160
CFSSL_TABLE = """
CREATE TABLE certificates (
    serial_number {blob} NOT NULL, authority_key_identifier {blob} NOT NULL, ca_label {blob}, status {blob} NOT NULL,
    reason int, expiry {time}, revoked_at {time}, pem {blob} NOT NULL,
    PRIMARY KEY (serial_number, authority_key_identifier)
)
"""  # its migration 001, the same for both databases
CFSSL_CONFIG = {
    "signing": {"default": {"expiry": "168h", "usages": ["digital signature", "server auth", "client auth"]}}
}

Connect = Callable[[], socket.socket]


def measure_on(database_url: str | None) -> dict[str, float]:
    """Return the figures on one database; None is SQLite."""
    with (
        stage.console(database_url) as folder,
        stage.listener(folder) as listener,
        _cfssl(folder, database_url) as port,
    ):
        basic = _credential()
        context = listener.context()
        context.maximum_version = ssl.TLSVersion.TLSv1_3

        def to_listener() -> socket.socket:
            raw = socket.create_connection((listener.address, listener.port), timeout=60)
            raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return context.wrap_socket(raw, server_hostname=listener.fqdn)

        def to_cfssl() -> socket.socket:
            raw = socket.create_connection(("127.0.0.1", port), timeout=60)
            raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return raw

        ours, theirs, fresh = [], [], []
        _send(to_listener, _est(basic, WARM_UP))
        _send(to_cfssl, _cfssl_requests(WARM_UP))
        for _ in range(ROUNDS):
            ours.append(_send(to_listener, _est(basic, IN_A_ROUND)))
            theirs.append(_send(to_cfssl, _cfssl_requests(IN_A_ROUND)))
            fresh.append(_send(to_listener, _est(basic, IN_A_ROUND // 4), keep=False))
        _check_stored(IN_A_ROUND * ROUNDS)
    return {
        "enrolments/s": median(ours),
        "cfssl: certificates/s": median(theirs),
        "ours for one of cfssl's": median(ours) / median(theirs),
        "cfssl's for one of ours": median(theirs) / median(ours),
        "enrolments/s, a new TLS connection each": median(fresh),
    }


def _check_stored(least: int) -> None:
    from trust.models.certificates import Certificate

    assert Certificate.objects.count() >= least


@contextmanager
def _cfssl(folder: Path, database_url: str | None) -> Iterator[int]:
    """Start `cfssl serve` with a CA of its own and a table of its own; yield its port."""
    _cfssl_ca(folder)
    (folder / "cfssl.json").write_text(json.dumps(CFSSL_CONFIG))
    (folder / "cfssl-db.json").write_text(json.dumps(_cfssl_database(folder, database_url)))
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    command = (
        *("cfssl", "serve", "-address", "127.0.0.1", "-port", str(port), "-loglevel", "4"),
        *("-ca", "ca.pem", "-ca-key", "ca.key", "-config", "cfssl.json", "-db-config", "cfssl-db.json"),
    )
    with (
        (folder / "cfssl.log").open("w") as log,
        subprocess.Popen(command, cwd=folder, stdout=log, stderr=log) as running,
    ):
        try:
            until = time.monotonic() + 30
            while time.monotonic() < until and running.poll() is None:
                with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
                    break
                time.sleep(0.05)
            yield port
        finally:
            running.terminate()


def _cfssl_ca(folder: Path) -> None:
    from cryptography.hazmat.primitives.serialization import NoEncryption, PrivateFormat

    from tests.fixtures.certificates import Authority

    authority = Authority("cfssl")
    (folder / "ca.pem").write_text(authority.pem)
    (folder / "ca.key").write_bytes(
        authority.key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())
    )


def _cfssl_database(folder: Path, database_url: str | None) -> dict[str, str]:
    if database_url is None:
        path = folder / "cfssl.db"
        with sqlite3.connect(path) as made:
            made.execute(CFSSL_TABLE.format(blob="blob", time="timestamp"))
        # As ours: WAL, and every commit on the disk.
        options = "_journal_mode=WAL&_synchronous=FULL&_busy_timeout=20000&_txlock=immediate"
        return {"driver": "sqlite3", "data_source": f"file:{path}?{options}"}
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("CREATE SCHEMA cfssl")
        cursor.execute("SET search_path TO cfssl")
        cursor.execute(CFSSL_TABLE.format(blob="bytea", time="timestamptz"))
        cursor.execute("RESET search_path")
    values = connection.settings_dict
    source = f"host={values['HOST']} user={values['USER']} dbname={values['NAME']} sslmode=disable search_path=cfssl"
    return {"driver": "postgres", "data_source": source}


def _credential() -> str:
    """Make an enrolment credential and return its Authorization."""
    from console.lib import clock
    from console.servers.current import current
    from trust.clients.credentials_check import digest
    from trust.models.credentials import Credential

    secret, now = secrets.token_urlsafe(32), clock.now()
    row = Credential.objects.create(
        server=current(),
        secret_sha256=digest(secret),
        most_uses=10**6,
        created_by="bench",
        created_at=now,
        expires_at=now + timedelta(days=1),
    )
    return base64.b64encode(f"{row.pk}:{secret}".encode()).decode()


def _requests(number: int) -> Iterator[x509.CertificateSigningRequest]:
    for _ in range(number):
        name = f"pc-{secrets.token_hex(6)}.example.com"
        yield (
            x509.CertificateSigningRequestBuilder()
            .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
            .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
            .sign(ec.generate_private_key(ec.SECP256R1()), hashes.SHA256())
        )


def _est(basic: str, number: int) -> list[bytes]:
    head = (
        "POST /.well-known/est/simpleenroll HTTP/1.1\r\nHost: bench\r\nContent-Type: application/pkcs10\r\n"
        f"Authorization: Basic {basic}\r\n"
    )
    return [_http(head, base64.b64encode(one.public_bytes(Encoding.DER))) for one in _requests(number)]


def _cfssl_requests(number: int) -> list[bytes]:
    head = "POST /api/v1/cfssl/sign HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\n"
    return [
        _http(head, json.dumps({"certificate_request": one.public_bytes(Encoding.PEM).decode()}).encode())
        for one in _requests(number)
    ]


def _http(head: str, body: bytes) -> bytes:
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


def _send(connect: Connect, requests: Sequence[bytes], *, keep: bool = True) -> float:
    """Send the requests over AT_ONCE connections (or a new one each) and return how many were answered a second."""
    faults: list[BaseException] = []
    ready = threading.Barrier(AT_ONCE + 1)

    def work(mine: Sequence[bytes]) -> None:
        try:
            connection = connect() if keep else None
            ready.wait()
            for request in mine:
                used = connection or connect()
                _ask(used, request)
                if connection is None:
                    used.close()
            if connection is not None:
                connection.close()
        except BaseException as fault:  # noqa: BLE001 - told below
            faults.append(fault)
            ready.abort()

    threads = [threading.Thread(target=work, args=(requests[number::AT_ONCE],)) for number in range(AT_ONCE)]
    for thread in threads:
        thread.start()
    with suppress(threading.BrokenBarrierError):
        ready.wait()
    began = time.perf_counter()
    for thread in threads:
        thread.join()
    taken = time.perf_counter() - began
    if faults:
        raise faults[0]
    return len(requests) / taken


def _ask(connection: socket.socket, request: bytes) -> None:
    """Send one request and read its whole answer; anything but 200 is a fault."""
    connection.sendall(request)
    answer = b""
    while b"\r\n\r\n" not in answer:
        answer += _received(connection)
    head, _, body = answer.partition(b"\r\n\r\n")
    if not head.startswith(b"HTTP/1.1 200"):
        raise RuntimeError(answer[:500].decode(errors="replace"))
    lengths = [line.split(b":")[1] for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
    while len(body) < int(lengths[0]):
        body += _received(connection)


def _received(connection: socket.socket) -> bytes:
    data = connection.recv(65536)
    if not data:
        raise RuntimeError("The connection was closed before the answer was complete.")
    return data
