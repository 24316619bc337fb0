"""Asks gateways as any HTTP client would: with the standard library, so that nothing of the console stands between."""

import base64
import http.client
import json
import ssl
from dataclasses import dataclass
from typing import Any, Self

from tests.fixtures.certificates import Issued
from tests.fixtures.gateway import RunningGateway

JSON = {"Content-Type": "application/json"}


@dataclass(frozen=True)
class Answer:
    """Status, body and headers."""

    status: int
    body: Any
    headers: dict[str, str]

    @property
    def code(self) -> str:
        return str(self.body["code"])


def b64(value: bytes) -> str:
    """Return bytes as the protocol writes them."""
    return base64.b64encode(value).decode()


def tls(gateway: RunningGateway, client: Issued | None = None, folder: Any = None) -> ssl.SSLContext:
    """Return a client's context that trusts the gateway's CA alone."""
    context = ssl.create_default_context(cadata=gateway.ca_pem)
    if client is not None:
        pem = folder / f"client-{id(client)}.pem"
        pem.write_text(client.pem + client.key_pem)
        context.load_cert_chain(pem)
    return context


class Client:
    """One connection that is kept alive."""

    def __init__(
        self,
        gateway: RunningGateway,
        pin: str = "",
        *,
        port: int = 0,
        context: ssl.SSLContext | None = None,
        timeout_s: float = 60,
    ) -> None:
        self.gateway = gateway
        self.pin = pin
        self.connection = http.client.HTTPSConnection(
            gateway.address, port or gateway.port, timeout=timeout_s, context=context or tls(gateway)
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.connection.close()

    def ask(self, operation: str, /, **fields: Any) -> Answer:
        """Send one operation; bytes become base64."""
        common = {"slot": self.gateway.slot, "pin": self.pin, "deadline_ms": 30_000}
        body = {**common, **fields}
        body = {name: b64(value) if isinstance(value, bytes) else value for name, value in body.items()}
        return self.send("POST", f"/v1/{operation}", json.dumps(body).encode(), JSON)

    def send(self, method: str, path: str, body: bytes | None = None, headers: dict[str, str] | None = None) -> Answer:
        """Send anything."""
        self.connection.request(method, path, body, headers or {})
        response = self.connection.getresponse()
        content = response.read()
        parsed = json.loads(content) if response.getheader("Content-Type") == "application/json" else content
        return Answer(response.status, parsed, {name.lower(): value for name, value in response.getheaders()})


def health(gateway: RunningGateway) -> int:
    """Return the status of /health in clear; the answer has no body."""
    connection = http.client.HTTPConnection(gateway.address, gateway.health_port, timeout=60)
    return _health(connection)


def health_tls(gateway: RunningGateway) -> int:
    """Return the status of /health inside TLS."""
    connection = http.client.HTTPSConnection(gateway.address, gateway.health_tls_port, timeout=60, context=tls(gateway))
    return _health(connection)


def _health(connection: http.client.HTTPConnection) -> int:
    try:
        connection.request("GET", "/health")
        response = connection.getresponse()
        assert response.read() == b""
        return response.status
    finally:
        connection.close()
