"""Orders to clients.

To all of them, once a root has been revoked: forget every root that the trust list does not name, and say anew what
is held. To a single one: the same, when an administrator resets its public key.
"""

from datetime import datetime, timedelta

from console.servers.models import Server
from trust.models.documents import EVERYONE, DocumentKind, SignedDocument
from trust.publishing.latest import Latest
from trust.wire.documents import Directive, TrustList, decode

VALID = timedelta(days=7)
# An order to one client waits for it, for as long as a client may well be switched off.
OWN_VALID = timedelta(days=30)


def reset_trust(
    server: Server, audience: str, sequence: int, now: datetime, *, trust_list: int, valid: timedelta = VALID
) -> Directive:
    """Return the order to hold only what the trust list with that sequence, or a later one, names."""
    return Directive(
        server=server.fqdn,
        audience=audience,
        sequence=sequence,
        issued_at=now,
        expires_at=now + valid,
        order="reset-trust",
        trust_list=trust_list,
    )


def stands_on(held: Latest) -> int:
    """Return the sequence of the trust list that first named the roots that are revoked now; 0 when none is.

    A newer list that names no other revoked root is no reason to repeat the order: clients obey it once.
    """
    if held.trust_list is None or not (revoked := _revoked(held.trust_list)):
        return 0
    if held.directive is not None:
        before = decode(bytes(held.directive.payload), Directive).trust_list
        lists = SignedDocument.objects.filter(
            server=held.trust_list.server_id, kind=DocumentKind.TRUST_LIST, audience=EVERYONE, sequence=before
        )
        if any(_revoked(row) == revoked for row in lists):
            return before
    return held.trust_list.sequence


def _revoked(row: SignedDocument) -> frozenset[str]:
    return frozenset(root.fingerprint for root in decode(bytes(row.payload), TrustList).revoked)
