"""EST in this process: the views and everything below them, with keys that the console's set-up made.

Only the peer's certificate is said by the test, because there is no TLS here; tests of `tests.fixtures.listener` have
it.
"""

import base64
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import msgspec
import pytest
from django.test import Client as HttpClient
from pytest_django import Settings

from console.lib import clock
from console.servers.models import Server
from keys import setup as keys_setup
from tests.trust.clients.est.requesting import Made
from trust import setup
from trust.clients import policy
from trust.clients.credentials_check import digest
from trust.clients.est import edge, views
from trust.clients.registration_refusals import Gate
from trust.issuing import opening
from trust.listening.peer import Peer
from trust.models.credentials import Credential
from trust.wire.messages import Nonce


@pytest.fixture
def keys(server: Server, monkeypatch: pytest.MonkeyPatch) -> Server:
    """Make the keys, hand them over, and forget what an earlier test left in this process."""
    keys_setup.make_first_root()
    keys_setup.make_subordinates()
    setup.make_listener_pair()
    setup.file_issuing()
    forget()
    monkeypatch.setattr(edge, "_gate", Gate())
    return server


def forget() -> None:
    """Have keys and rules read anew, as a process does within a second."""
    opening.forget()
    policy.forget()
    views._nonce_key.cache_clear()


@dataclass
class Est:
    """A client of EST. `shows` is the certificate that its TLS connection carries."""

    http: HttpClient
    shows: bytes | None = None
    address: str = "192.0.2.7"

    def peer(self, _request: Any) -> Peer:
        return Peer(self.shows, self.address, is_tls=True)

    def post(self, der: bytes, operation: str = "simpleenroll", **headers: str) -> Any:
        body = base64.b64encode(der)
        return self.raw(body, operation, **headers)

    def raw(self, body: bytes, operation: str = "simpleenroll", *, kind: str = "application/pkcs10", **h: str) -> Any:
        headers = {name.capitalize(): value for name, value in h.items()}
        return self.http.post(f"/.well-known/est/{operation}", body, content_type=kind, headers=headers)

    def nonce(self) -> bytes:
        return msgspec.json.decode(self.http.get("/v1/nonce").content, type=Nonce).nonce


@pytest.fixture
def est(keys: Server, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Est:
    settings.ROOT_URLCONF = "console.listener_urls"
    settings.MIDDLEWARE = ["trust.listening.middleware.AnswersMiddleware"]
    made = Est(HttpClient())
    for module in (views, edge):
        monkeypatch.setattr(module, "peer", made.peer)
    return made


@pytest.fixture
def make_credential(server: Server) -> Callable[..., Made]:
    """Make a credential as the worker does for an init file."""

    def make(**columns: Any) -> Made:
        secret = secrets.token_urlsafe(32)
        now = clock.now()
        usual = {
            "server": server,
            "secret_sha256": digest(secret),
            "most_uses": 100,
            "created_by": "alice",
            "created_at": now,
            "expires_at": now + timedelta(days=30),
        }
        return Made(Credential.objects.create(**{**usual, **columns}), secret)

    return make


@pytest.fixture
def credential(make_credential: Callable[..., Made]) -> Made:
    return make_credential()
