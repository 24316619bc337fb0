"""What a registration tells of a client, and whether that is new."""

import hashlib
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any
from uuid import UUID

from trust.models.clients import Client, RootSet

NO_ROOTS = ""
"""The digest of a client that says that it holds none."""


@dataclass(frozen=True)
class Told:
    """Named as the columns of Client. `roots` is the digest of the fingerprints held."""

    server_id: UUID
    protocol: int
    version: str
    using_tls: bool
    tls_mode: int
    registered_with: str
    address: str
    roots: str
    root_id: Any = None
    certificate_until: datetime | None = None

    def columns(self) -> dict[str, Any]:
        """Return what of it stands in the row by the same name; a client without a certificate says nothing of one."""
        named = {one.name: getattr(self, one.name) for one in fields(self) if one.name != "roots"}
        return {name: value for name, value in named.items() if value is not None}

    def is_new(self, client: Client) -> bool:
        """Whether the row says anything else."""
        differs = any(getattr(client, name) != value for name, value in self.columns().items())
        return differs or self.roots != (client.holding.digest if client.holding else NO_ROOTS)


SHOWN = ("using_tls", "protocol", "version", "registered_with", "address")
"""What of it the history of a client shows; a new certificate has a row of its own."""


def digest(fingerprints: tuple[str, ...]) -> str:
    """Return the digest of a set of fingerprints, as RootSet has it."""
    return hashlib.sha256("\n".join(sorted(set(fingerprints))).encode()).hexdigest() if fingerprints else NO_ROOTS


def stored(fingerprints: tuple[str, ...]) -> RootSet | None:
    """Return the row of a set, made when it is the first time; None for no roots."""
    if not fingerprints:
        return None
    found, _ = RootSet.objects.get_or_create(
        digest=digest(fingerprints), defaults={"fingerprints": sorted(set(fingerprints))}
    )
    return found
