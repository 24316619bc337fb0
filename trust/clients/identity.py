"""Who a client certificate belongs to, asked anew for every request: TLS has checked the chain, and nothing else."""

from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any, cast

from cryptography import x509

from console.lib.errors import RefusedError
from keys.models.subordinate import Subordinate, SubordinateState
from trust.clients import hotsql
from trust.clients.hotsql import Columns
from trust.models.certificates import Certificate
from trust.models.clients import Client, ClientState, RootSet

# What decisions need, and no more.
_CERTIFICATE = (
    "id",
    "client_id",
    "issuer_id",
    "serial",
    "spki_fingerprint",
    "der",
    "not_before",
    "not_after",
    "revoked_at",
)
_ISSUER = ("id", "state", "root_id")
_HOLDING = ("id", "digest")
_SQL = """
SELECT {certificate.text}, {client.text}, {issuer.text}, {holding.text}
FROM {certificate.model._meta.db_table} AS certificate
JOIN {client.model._meta.db_table} AS client ON client.id = certificate.client_id
JOIN {issuer.model._meta.db_table} AS issuer ON issuer.id = certificate.issuer_id
LEFT JOIN {holding.model._meta.db_table} AS holding ON holding.id = client.holding_id
WHERE certificate.serial = %s
"""


class IdentityError(RefusedError):
    """The certificate proves nothing here; `code` says why in a word."""


def identify(certificate_der: bytes, now: datetime) -> Certificate:
    """Return the row of a client's certificate, with its client and its issuer; raises IdentityError.

    It must be one that this console issued, byte by byte, valid now, not revoked, below an intermediate that is not
    revoked, and of a client that is not revoked. Not checked: that the peer has its private key, which TLS proves.
    """
    row = _find(certificate_der)
    if row is None:
        raise IdentityError("This certificate was not issued here.", code="unknown-certificate")
    if row.client.state == ClientState.REVOKED:
        raise IdentityError(f"The client {row.client.name} was revoked.", code="revoked")
    if row.revoked_at is not None:
        raise IdentityError("This certificate was revoked.", code="certificate-revoked")
    if not row.not_before <= now < row.not_after:
        raise IdentityError(
            "This certificate is not valid at this time.",
            code="certificate-expired",
            next_step="Ask for a new one with a proof of its key.",
        )
    if row.issuer.state == SubordinateState.REVOKED:
        raise IdentityError(
            "The root key above this certificate was revoked.",
            code="root-revoked",
            next_step="Ask for a new certificate with a proof of the key of this one.",
        )
    return row


def _find(certificate_der: bytes) -> Certificate | None:
    try:
        serial = x509.load_der_x509_certificate(certificate_der).serial_number
    except ValueError:
        return None
    read = _query()
    values = hotsql.first_row(read.sql, (f"{serial:x}",))
    row = None if values is None else read.load(values)
    return row if row is not None and bytes(row.der) == certificate_der else None


@dataclass(frozen=True)
class _Query:
    """SQL by hand because every registration asks it: the ORM takes most of a registration's time to write it down."""

    sql: str
    parts: tuple[Columns, ...]

    def load(self, values: tuple[Any, ...]) -> Certificate:
        """Return the certificate of a row, with its client, what that holds, and its issuer."""
        found: list[Any] = []
        begin = 0
        for part in self.parts:
            end = begin + len(part.names)
            found.append(part.load(values[begin:end]) if values[begin] is not None else None)
            begin = end
        certificate, client, issuer, holding = found
        client.holding = holding
        certificate.client, certificate.issuer = client, issuer
        return cast("Certificate", certificate)


@cache
def _query() -> _Query:
    parts = {
        "certificate": hotsql.columns(Certificate, "certificate", _CERTIFICATE),
        "client": hotsql.columns(Client, "client"),
        "issuer": hotsql.columns(Subordinate, "issuer", _ISSUER),
        "holding": hotsql.columns(RootSet, "holding", _HOLDING),
    }
    return _Query(_SQL.format(**parts), tuple(parts.values()))
