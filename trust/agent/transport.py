"""How a request reaches a server. Whatever implements `Transport` can stand in for the network."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

LONGEST_RETRY_S = 86_400
"""For so long a client stays away at most, whatever an answer says: in clear, anybody may have written it."""


@dataclass(frozen=True)
class Tls:
    """`roots` (DER) authenticate the server; with none it stays a stranger. With two paths a certificate is shown.

    `bridges` (DER) are cross-certificates by which roots lead on: they count for no more than what is above them.
    """

    roots: tuple[bytes, ...]
    certificate: Path | None = None
    key: Path | None = None
    bridges: tuple[bytes, ...] = ()


@dataclass(frozen=True)
class Door:
    """Where to knock: `name` is what the server must prove to be; `tls` None is a connection in clear."""

    host: str
    port: int
    name: str
    tls: Tls | None


@dataclass(frozen=True)
class Request:
    """One request. `headers` may hold the enrolment credential, so it shows in no repr."""

    method: str
    path: str
    body: bytes = field(default=b"", repr=False)
    headers: dict[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True)
class Reply:
    """One answer; `retry_after_s` is what its header says, of 0 to LONGEST_RETRY_S, None without."""

    status: int
    content_type: str
    body: bytes = field(repr=False)
    retry_after_s: int | None = None


class Transport(Protocol):
    """The port. One that is offline raises UnreachableError."""

    def send(self, door: Door, request: Request) -> Reply:
        """Return the answer, whatever its status; raises UnreachableError and its kinds."""

    def close(self) -> None:
        """Let go of what is still open; the next `send` opens it again."""
