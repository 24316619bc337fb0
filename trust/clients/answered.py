"""The same request again gets the certificate that it got before, as long as that one counts.

A request is known by a digest over what it is and on what it stands. Where the certificate it got has ended, the next
one for the same request is known by a digest over the former digest and that certificate: clients may use a file with
their request again and again, and still each request makes one certificate only, however many processes it reaches.
"""

from datetime import datetime
from hashlib import sha256
from uuid import UUID

from keys.models.subordinate import SubordinateState
from trust.models.certificates import Certificate

LONGEST_CHAIN = 1000


def digest(client_id: UUID, request_der: bytes, renewed_serial: str = "") -> str:
    """Return the digest of a request, hex. A renewal stands on the certificate that was presented."""
    return sha256(client_id.bytes + renewed_serial.encode() + b"\n" + request_der).hexdigest()


def find(first: str, now: datetime) -> tuple[Certificate | None, str]:
    """Return the certificate that a request got and that still counts, or None; and the digest for a new one."""
    wanted = first
    for _ in range(LONGEST_CHAIN):
        row = Certificate.objects.filter(request_sha256=wanted).select_related("issuer").first()
        if row is None or _counts(row, now):
            return row, wanted
        wanted = sha256(f"{wanted}\n{row.serial}".encode()).hexdigest()
    raise OverflowError("A request was certified a thousand times.")


def _counts(row: Certificate, now: datetime) -> bool:
    return row.revoked_at is None and now < row.not_after and row.issuer.state != SubordinateState.REVOKED
