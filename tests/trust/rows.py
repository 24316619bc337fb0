"""Rows of roots and clients as they stand after the fact, for tests of what only reads them. No key is made."""

import hashlib
import secrets
from datetime import datetime, timedelta
from typing import Any

from console.lib import clock
from console.servers.models import Server
from keys.models.root import RevocationReason, Root, RootState
from keys.models.statements import CrossCertificate
from keys.models.subordinate import Subordinate, SubordinateState
from keys.purposes import Purpose
from trust.models.certificates import Certificate, Ground
from trust.models.clients import Client, RootSet
from trust.models.documents import DocumentKind, SignedDocument

DAY = timedelta(days=1)


def root(server: Server, number: int | None, **columns: Any) -> Root:
    """Return an active root, or one in the state that the columns say."""
    now = clock.now()
    fingerprint = hashlib.sha256(f"{server.fqdn} {number}".encode()).hexdigest()
    values = {
        "name": f"{server.fqdn} Root {number}",
        "key_id": secrets.token_bytes(16),
        "store": "local",
        "spki_der": b"spki",
        "fingerprint": fingerprint,
        "certificate_der": b"certificate",
        "created_at": now,
        "activated_at": now,
        "state": RootState.ACTIVE,
        "requested_by": "alice",
    }
    return Root.objects.create(server=server, number=number, **{**values, **columns})


def revoke(made: Root, reason: RevocationReason = RevocationReason.POLICY) -> None:
    """Mark a root as revoked."""
    made.state, made.revoked_at, made.revocation_reason = RootState.REVOKED, clock.now(), reason
    made.save()


def cross(issuer: Root, subject: Root) -> None:
    """Have two roots certify each other."""
    for one, other in ((issuer, subject), (subject, issuer)):
        CrossCertificate.objects.create(
            issuer=one, subject=other, serial="1", certificate_der=b"cross", created_at=clock.now()
        )


def intermediate(above: Root) -> Subordinate:
    """Return an intermediate that signs the keys of clients."""
    now = clock.now()
    return Subordinate.objects.create(
        server=above.server,
        root=above,
        name="Client TLS CA",
        key_id=secrets.token_bytes(16),
        purpose=Purpose.CLIENT_TLS_CA,
        holder=above.server.fqdn,
        state=SubordinateState.ACTIVE,
        store="local",
        spki_der=b"spki",
        fingerprint=secrets.token_hex(32),
        certificate_der=b"certificate",
        serial=secrets.token_hex(8),
        not_before=now,
        not_after=now + 180 * DAY,
        created_at=now,
        activated_at=now,
    )


def trust_list(server: Server) -> SignedDocument:
    """Return a trust list of random bytes, signed just now."""
    return SignedDocument.objects.create(
        server=server,
        kind=DocumentKind.TRUST_LIST,
        sequence=1,
        digest=secrets.token_hex(32),
        payload=b"payload",
        signature=b"signature",
        signer_der=b"signer",
        created_at=clock.now(),
    )


def holding(*roots: Root) -> RootSet:
    """Return the set of these roots."""
    fingerprints = sorted(str(one.fingerprint) for one in roots)
    digest = hashlib.sha256("\n".join(fingerprints).encode()).hexdigest()
    return RootSet.objects.get_or_create(digest=digest, defaults={"fingerprints": fingerprints})[0]


def client(server: Server, name: str, **columns: Any) -> Client:
    """Return an authenticated client that was seen just now."""
    now = clock.now()
    values = {
        "authenticated": True,
        "protocol": 315,
        "using_tls": True,
        "created_at": now,
        "last_seen": now,
        "certificate_until": now + 7 * DAY,
    }
    return Client.objects.create(server=server, name=name, **{**values, **columns})


def certificate(of: Client, issuer: Subordinate, *, issued_at: datetime | None = None) -> Certificate:
    """Return a certificate of random bytes."""
    now = issued_at or clock.now()
    return Certificate.objects.create(
        client=of,
        issuer=issuer,
        ground=Ground.CREDENTIAL,
        request_sha256=secrets.token_hex(32),
        serial=secrets.token_hex(16),
        spki_fingerprint=secrets.token_hex(32),
        spki_der=b"spki",
        der=secrets.token_bytes(64),
        not_before=now,
        not_after=now + 7 * DAY,
        issued_at=now,
    )
