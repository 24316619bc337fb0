"""Normal registrations a second through the real listener, and on paper what 1,000,000 clients need.

Clients have certificates of this console, TLS 1.3 and PostgreSQL with every commit on the disk. The senders run on the
same machine, so the rates are lower bounds; what each registration costs the listener's processes is not, and what
1,000,000 clients need is reckoned from that. A normal registration tells nothing new: the database reads one row for
it, and of each client it writes one row in five minutes, in batches, whose cost is measured beside it.
"""

import base64
import json
import os
import socket
import ssl
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from http.client import HTTPConnection
from math import ceil
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, pkcs7
from cryptography.x509.oid import NameOID

from bench import stage
from tests import postgres

if TYPE_CHECKING:
    from tests.fixtures.listener import Listener

AT_ONCE = 8
SECONDS = 6.0
ROUNDS = 3
CLIENTS = 1_000_000
PAUSES_S = (30, 60, 90)
STORED = 50_000
FULL_EVERY_S = 4 * 3600
USED = 0.6
"""How far a host is loaded on paper: the rest is for enrolments, for a morning, and for a host that is away."""


@dataclass(frozen=True)
class Rate:
    """Registrations a second, and the seconds of processor that each cost the listener."""

    a_second: float
    cpu_s: float


@dataclass
class Machine:
    """One enrolled client with its own TLS context and its own counter."""

    name: str
    context: ssl.SSLContext
    counter: int = 0

    def body(self) -> bytes:
        """Return its next registration."""
        self.counter += 1
        return json.dumps({"name": self.name, "protocol": 315, "version": "7.6.1", "counter": self.counter}).encode()


def measure() -> dict[str, float]:
    """Return the rates, the cost of the batches, and what follows from them."""
    with postgres.cluster(durable=True) as url, stage.console(url) as folder, stage.listener(folder) as listener:
        machines = [_enrol(listener, folder, f"pc-{number}.example.com") for number in range(AT_ONCE)]
        _register(listener, machines, 1.0, keep=True)
        rounds = [
            (_register(listener, machines, SECONDS, keep=True), _register(listener, machines, SECONDS / 2, keep=False))
            for _ in range(ROUNDS)
        ]
        written = _written_a_second()
    kept, fresh = (
        Rate(median(one.a_second for one in way), median(one.cpu_s for one in way)) for way in zip(*rounds, strict=True)
    )
    return {
        "registrations/s, kept connections": kept.a_second,
        "registrations/s, a new TLS connection each": fresh.a_second,
        "listener: ms of processor each, kept": kept.cpu_s * 1000,
        "listener: ms of processor each, new TLS": fresh.cpu_s * 1000,
        "rows of last_seen written/s, in batches": written,
        **_on_paper(kept, fresh, written),
    }


def _on_paper(kept: Rate, fresh: Rate, written: float) -> dict[str, float]:
    """Return what 1,000,000 clients ask of hosts with as many cores as this one, used to USED, and of the database."""
    figures: dict[str, float] = {}
    cores = (os.cpu_count() or 1) * USED
    for pause_s in PAUSES_S:
        rate = CLIENTS / pause_s
        figures[f"1,000,000 at {pause_s} s: registrations/s"] = rate
        figures[f"1,000,000 at {pause_s} s: hosts, kept"] = ceil(rate * kept.cpu_s / cores)
        figures[f"1,000,000 at {pause_s} s: hosts, new TLS each"] = ceil(rate * fresh.cpu_s / cores)
    figures["1,000,000 at 60 s: database reads/s"] = CLIENTS / 60
    figures["1,000,000: rows of last_seen/s"] = CLIENTS / 300
    figures["1,000,000: transactions for them/s, at most"] = CLIENTS / 300
    figures["1,000,000: full registrations written/s"] = CLIENTS / FULL_EVERY_S
    figures["1,000,000: share of a second for last_seen"] = CLIENTS / 300 / written
    return figures


def _register(listener: "Listener", machines: list[Machine], seconds: float, *, keep: bool) -> Rate:
    """Register all at once, again and again, and return how many registrations were answered a second, and for what."""
    done = [0] * len(machines)
    faults: list[BaseException] = []
    until = time.perf_counter() + seconds

    def work(place: int, machine: Machine) -> None:
        try:
            connection = _connect(listener, machine)
            while time.perf_counter() < until:
                _ask(connection, machine)
                done[place] += 1
                if not keep:
                    connection.close()
                    connection = _connect(listener, machine)
            connection.close()
        except BaseException as fault:  # noqa: BLE001 - told below
            faults.append(fault)

    began, used = time.perf_counter(), _processor_s(listener)
    threads = [threading.Thread(target=work, args=pair) for pair in enumerate(machines)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if faults:
        raise faults[0]
    return Rate(sum(done) / (time.perf_counter() - began), (_processor_s(listener) - used) / sum(done))


def _processor_s(listener: "Listener") -> float:
    """Return the seconds of processor that all processes of the listener have used (proc(5))."""
    assert listener.running
    ticks = 0
    for path in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            values = path.read_text().rpartition(")")[2].split()
            if int(values[2]) == listener.running.pid:
                ticks += int(values[11]) + int(values[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def _connect(listener: "Listener", machine: Machine) -> HTTPConnection:
    raw = socket.create_connection((listener.address, listener.port), timeout=60)
    raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    connection = HTTPConnection(listener.address, listener.port)
    connection.sock = machine.context.wrap_socket(raw, server_hostname=listener.fqdn)
    return connection


def _ask(connection: HTTPConnection, machine: Machine) -> None:
    connection.request("POST", "/v1/registrations", machine.body(), {"Content-Type": "application/json"})
    answer = connection.getresponse()
    said = answer.read()
    if answer.status != 200:
        raise RuntimeError(said.decode(errors="replace"))


def _enrol(listener: "Listener", folder: Path, name: str) -> Machine:
    """Enrol a client by EST and return it, with its certificate in a TLS context."""
    from bench.enrolling import _credential
    from keys.models.subordinate import Subordinate
    from keys.purposes import Purpose

    key = ec.generate_private_key(ec.SECP256R1())
    request = (
        x509.CertificateSigningRequestBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
        .sign(key, hashes.SHA256())
    )
    connection = listener.connect()
    headers = {"Content-Type": "application/pkcs10", "Authorization": f"Basic {_credential()}"}
    body = base64.b64encode(request.public_bytes(Encoding.DER))
    connection.request("POST", "/.well-known/est/simpleenroll", body, headers)
    answer = connection.getresponse()
    said = answer.read()
    if answer.status != 200:
        raise RuntimeError(said.decode(errors="replace"))
    leaf = pkcs7.load_der_pkcs7_certificates(base64.b64decode(said))[0]
    above = Subordinate.objects.active(listener.server).get(purpose=Purpose.CLIENT_TLS_CA)  # type: ignore[arg-type]
    chain = (leaf, x509.load_der_x509_certificate(bytes(above.certificate_der)))
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    path = folder / f"{name}.pem"
    path.write_bytes(pem + b"".join(one.public_bytes(Encoding.PEM) for one in chain))
    context = listener.context()
    context.load_cert_chain(path)
    return Machine(name, context)


def _written_a_second() -> float:
    """Return how many rows a second the batches write into a table of some size, with everything in its indexes."""
    from console.lib import clock
    from console.servers.current import current
    from trust.clients.sightings import Sighting, write
    from trust.models.clients import Client

    now, server = clock.now(), current()
    rows = [
        Client(server=server, name=f"row-{number}", authenticated=True, protocol=315, using_tls=True, created_at=now)
        for number in range(STORED)
    ]
    Client.objects.bulk_create(rows, batch_size=2000)
    batch = round(CLIENTS / 300)
    rates = []
    for turn in range(1, ROUNDS + 1):
        seen = [
            Sighting(row.pk, turn, now + timedelta(seconds=turn)) for row in rows[turn * batch : (turn + 1) * batch]
        ]
        began = time.perf_counter()
        write(seen)
        rates.append(batch / (time.perf_counter() - began))
    return median(rates)
