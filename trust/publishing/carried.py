"""Which cross-certificates are given to clients: in the trust list, EST's cacerts, the TLS chain and init files.

One function for all of them: a root that was revoked as compromised carries nobody over any more, and nobody is carried
over to it (docs/design.md §5). One that was revoked for any other reason still leads on whoever knows only it.
"""

import base64
from datetime import datetime

from django.db.models import Q, QuerySet

from console.servers.models import Server
from keys.models.root import RevocationReason, Root
from keys.models.statements import CrossCertificate
from trust.models.documents import SignedDocument

COMPROMISED = Q(issuer__revocation_reason=RevocationReason.COMPROMISED) | Q(
    subject__revocation_reason=RevocationReason.COMPROMISED
)


def rows(server: Server) -> QuerySet[CrossCertificate]:
    """Return the cross-certificates between roots of a server that are still given out."""
    return CrossCertificate.objects.filter(issuer__server=server).exclude(COMPROMISED).order_by("pk")


def withdraw(server: Server, now: datetime) -> int:
    """Take what a compromised root carried over out of the chains of documents in force; return how many changed.

    No signature covers a chain, so nothing is signed anew: a document that waits for one client goes on waiting.
    """
    ders = CrossCertificate.objects.filter(COMPROMISED, issuer__server=server).values_list("certificate_der", flat=True)
    gone = {base64.b64encode(der).decode() for der in ders}
    if not gone:
        return 0
    changed = 0
    in_force = SignedDocument.objects.filter(Q(expires_at=None) | Q(expires_at__gt=now), server=server)
    for document in in_force.only("chain", "signature").iterator():
        if not gone.isdisjoint(document.chain):
            chain = [der for der in document.chain if der not in gone]
            # One that was signed again meanwhile has a chain of its own; the next look judges that.
            changed += in_force.filter(pk=document.pk, signature=bytes(document.signature)).update(chain=chain)
    return changed


def crosses(server: Server) -> tuple[bytes, ...]:
    """Return them as DER certificates, oldest first."""
    return tuple(bytes(der) for der in rows(server).values_list("certificate_der", flat=True))


def leading_to(root: Root) -> tuple[bytes, ...]:
    """Return those of them by which whoever holds another root of the server gets to `root`, nearest first.

    For a chain in a handshake or an envelope: what leads elsewhere is left out.
    """
    every = [
        (issuer, subject, bytes(der))
        for issuer, subject, der in rows(root.server).values_list("issuer_id", "subject_id", "certificate_der")
    ]
    chain: list[bytes] = []
    reached, waiting = {root.pk}, [root.pk]
    for target in waiting:
        for issuer, subject, der in every:
            if subject == target and issuer not in reached:
                chain.append(der)
                reached.add(issuer)
                waiting.append(issuer)
    return tuple(chain)
