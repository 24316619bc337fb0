"""A client that has enrolled, for the fuzzer: whatever its server says to it, it goes on.

Its directory is in memory where that is possible; its state is the same before each input.
"""

import io
import tempfile
from datetime import UTC, datetime
from functools import cache
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any

import msgspec
from cryptography.hazmat.primitives.serialization import Encoding

from tests.trust.agent.reference import Clock, Server, Wire, begin
from trust.agent import http, taking
from trust.agent.agent import Agent
from trust.agent.modern import Modern
from trust.agent.state import State
from trust.agent.transport import Door, Reply, Request
from trust.wire import initfile, messages, signed
from trust.wire.signed import Envelope, Kind

DER = Encoding.DER
KINDS = tuple(Kind)
STATUSES = (200, 202, 401, 403, 409, 503)
BROKEN = (OSError, HTTPException)
MEMORY = Path("/dev/shm")


class Subject:
    """The server, the client, and what the client remembered once it had enrolled."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None)
        self.server = Server(Clock())
        self.agent = begin(Path(self._folder.name), self.server, Wire(self.server))
        self.agent.step()
        self.server.rotate()
        self.server.tell({"TLSMode": 1, "PKIClientTLSKeyRenewalWindowHours": 4, "ServerNameList": "server.example"})
        self.server.tell({"TLSMode": 1}, audience="id-of-client")
        self.server.order("reset-trust", trust_list=1)
        self.server.ask("root-keys-held")
        self._remembered = msgspec.json.encode(self.agent.state)

    def anew(self) -> Agent:
        """Return the client as it was."""
        client = self.agent._client
        client.state = msgspec.json.decode(self._remembered, type=State)
        client.turn = client.breaks = client.server_index = 0
        client.counter = client.state.counter
        self.agent._protocol = Modern(client)
        return self.agent

    def sign(self, kind: Kind, payload: bytes) -> Envelope:
        """Sign what nobody in the right mind would."""
        signer = self.server.roots[0] if kind is Kind.TRUST_LIST else self.server.signer
        chain = () if kind is Kind.TRUST_LIST else tuple(self.server.crosses)
        return Envelope(kind, payload, signer.sign(signed.signed_bytes(kind, payload)), signer.der, chain)


@cache
def subject() -> Subject:
    """Return the one client of this process."""
    return Subject()


def documents() -> list[Envelope]:
    """Return a document of each kind."""
    return subject().server.documents


def init_files() -> list[bytes]:
    """Return an infrastructure file, without its first line."""
    return [subject().server.init_file().removeprefix(initfile.FIRST_LINE)]


def take(raw: bytes) -> None:
    """Take a document that is signed as it should be, whatever its payload says: the first byte names its kind."""
    agent = subject().anew()
    taking.take(agent._client, [subject().sign(KINDS[raw[0] % len(KINDS)] if raw else KINDS[0], raw[1:])])
    assert agent.due  # it can tell when it goes on


class Answering:
    """A server that says the same to every request."""

    def __init__(self, reply: Reply) -> None:
        self._reply = reply

    def send(self, _door: Door, _request: Request) -> Reply:
        """See `trust.agent.transport.Transport`."""
        return self._reply

    def close(self) -> None:
        """See `trust.agent.transport.Transport`."""


def register(raw: bytes) -> None:
    """Register, and hear an answer: its status by the first byte, its body in the others."""
    agent = subject().anew()
    status = STATUSES[raw[0] % len(STATUSES)] if raw else 200
    agent._client.transport = Answering(Reply(status, "application/json", raw[1:]))
    agent._client.clock.now = max(agent._client.clock(), agent.due)  # type: ignore[attr-defined]
    agent.step()
    assert agent.due


def replies() -> list[bytes]:
    """Return what servers say to a registration, for `register`."""
    server = subject().server
    good = [
        messages.Registered(
            registered_as="id-of-client",
            authenticated=True,
            server="server.example",
            server_time=moment,
            next_s=60,
            move_within_s=3600,
            documents=tuple(server.documents),
        )
        for moment in (server.clock(), datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC))
    ]
    refused = messages.Refusal(code="replayed", message="Known.", counter=5, retry_after_s=60)
    said = [(0, one) for one in good] + [(status, refused) for status in range(2, len(STATUSES))]
    return [bytes([status]) + msgspec.json.encode(body) for status, body in said]


class _Said:
    """A socket of `http.client` on which everything has been said."""

    def __init__(self, raw: bytes) -> None:
        self._raw = raw

    def sendall(self, _data: Any) -> None:
        """Hear nothing."""

    def makefile(self, *_arguments: Any) -> io.BytesIO:
        """Return what was said."""
        return io.BytesIO(self._raw)

    def close(self) -> None:
        """Have nothing to close."""


def hear(raw: bytes) -> None:
    """Read an answer in HTTP, byte by byte as it came."""
    connection: Any = HTTPConnection("server.example")
    connection.sock = _Said(raw)
    http._ask(connection, Request("GET", "/"))


def answers() -> list[bytes]:
    """Return answers in HTTP: with a length, in chunks, and one that puts the client off."""
    return [
        b"HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
        b"HTTP/1.1 503 No\r\nRetry-After: Thu, 01 Jan 2026 00:00:00 GMT\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 429 No\r\nRetry-After: 120\r\nConnection: close\r\nContent-Length: 0\r\n\r\n",
    ]
