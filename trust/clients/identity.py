"""Who a client certificate belongs to, asked anew for every request: TLS has checked the chain, and nothing else."""

from datetime import datetime

from cryptography import x509

from console.lib.errors import RefusedError
from keys.models.subordinate import SubordinateState
from trust.models.certificates import Certificate
from trust.models.clients import Client, ClientState

# What decisions need, and no more: a registration reads this row each time, and Django's time for it is one of columns.
_READ = (
    *("client", "issuer", "serial", "spki_fingerprint", "der", "not_before", "not_after", "revoked_at"),
    *("issuer__state", "issuer__root", "client__holding__digest"),
    *(f"client__{column.name}" for column in Client._meta.concrete_fields),
)


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
    rows = Certificate.objects.select_related("client__holding", "issuer").only(*_READ).order_by()
    row = next(iter(rows.filter(serial=f"{serial:x}")[:1]), None)
    return row if row is not None and bytes(row.der) == certificate_der else None
