"""Registration in this process: views, rows and settings are real; only the TLS connection is said by the test."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import msgspec
import pytest
from django.test import Client as HttpClient
from pytest_django import Settings

from console.lib import clock
from console.servers.models import Server
from keys.models.root import Root
from keys.models.subordinate import Subordinate
from tests.trust import authorities, rows
from trust.clients import (
    handing_out,
    newcomers,
    registration,
    registration_refusals,
    registration_standing,
    registration_views,
)
from trust.clients.changes import Changes
from trust.clients.sightings import Sightings
from trust.listening.peer import Peer
from trust.models.certificates import Certificate
from trust.models.clients import Client

DAY = timedelta(days=1)


@dataclass
class Machine:
    """A client that sends what a test wants. `shows` is the certificate of its TLS connection."""

    http: HttpClient
    name: str = "host-1"
    shows: bytes | None = None
    is_tls: bool = True
    address: str = "192.0.2.7"
    counter: int = 0
    says: dict[str, Any] = field(default_factory=dict)

    def peer(self, _request: Any = None) -> Peer:
        return Peer(self.shows, self.address, self.is_tls)

    def register(self, **says: Any) -> Any:
        """Register with the next counter, unless `says` names one."""
        self.counter = int(says.get("counter", self.counter + 1))
        body = {"name": self.name, "protocol": 315, "version": "7.6.1", **self.says, **says, "counter": self.counter}
        return self.send(msgspec.json.encode(body))

    def send(self, body: bytes, path: str = "/v1/registrations", kind: str = "application/json") -> Any:
        return self.http.post(path, body, content_type=kind)


@pytest.fixture
def machine(server: Server, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Machine:
    settings.ROOT_URLCONF = "trust.clients.registration_urls"
    settings.MIDDLEWARE = []
    made = Machine(HttpClient(raise_request_exception=True))
    for module in (registration_views, registration_refusals):
        monkeypatch.setattr(module, "peer", made.peer)
    monkeypatch.setattr(registration_refusals, "_gate", registration_refusals.Gate())
    monkeypatch.setattr(registration, "SIGHTINGS", Sightings())
    monkeypatch.setattr(registration, "CHANGES", Changes())
    monkeypatch.setattr(newcomers, "_newcomers", newcomers.Newcomers())
    forget()
    return made


def forget() -> None:
    """Have settings and documents read anew, as a process does within a second."""
    registration_standing.forget()
    handing_out.forget()


@pytest.fixture
def root(server: Server) -> Root:
    return rows.root(server, 0)


@pytest.fixture
def issuer(root: Root) -> Subordinate:
    return rows.intermediate(root)


def certify(client: Client, issuer: Subordinate) -> Certificate:
    """Give a client a certificate that can be read, as its enrolment stores it."""
    above = authorities.root("Client TLS CA")
    der = authorities.below(above, client.name).der
    row = rows.certificate(client, issuer)
    row.der = der
    row.serial = f"{authorities.Holder('', above.key, der).certificate.serial_number:x}"
    row.save()
    return row


@pytest.fixture
def enrolled(server: Server, issuer: Subordinate, machine: Machine) -> Client:
    """Return the client that `machine` is from now on: enrolled a minute ago, and not registered yet."""
    client = rows.client(server, machine.name, last_seen=clock.now() - DAY)
    machine.shows = bytes(certify(client, issuer).der)
    return client


def at(monkeypatch: pytest.MonkeyPatch, moment: datetime) -> None:
    """Move the clock."""
    monkeypatch.setattr(clock, "now", lambda: moment)
