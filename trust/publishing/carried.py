"""Which cross-certificates are given to clients: in the trust list, EST's cacerts, the TLS chain and init files.

One function for all of them: a root that was revoked as compromised carries nobody over any more, and nobody is carried
over to it (docs/design.md §5). One that was revoked for any other reason still leads on whoever knows only it.
"""

from django.db.models import Q, QuerySet

from console.servers.models import Server
from keys.models.root import RevocationReason, Root
from keys.models.statements import CrossCertificate


def rows(server: Server) -> QuerySet[CrossCertificate]:
    """Return the cross-certificates between roots of a server that are still given out."""
    compromised = RevocationReason.COMPROMISED
    return (
        CrossCertificate.objects.filter(issuer__server=server)
        .exclude(Q(issuer__revocation_reason=compromised) | Q(subject__revocation_reason=compromised))
        .order_by("pk")
    )


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
