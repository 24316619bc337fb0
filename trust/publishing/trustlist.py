"""What the trust list says: the active roots of a server, the cross-certificates between its roots, the revoked ones.

legacy-root is not in it: it is for Client 7.2, which knows no trust list.
"""

from datetime import datetime

from console.servers.models import Server
from keys.models.root import RevocationReason, Root, RootKind, RootState
from trust.models.documents import EVERYONE
from trust.publishing import carried
from trust.wire.documents import ListedRoot, RevokedRoot, TrustList


def payload(server: Server, sequence: int, now: datetime) -> TrustList:
    """Return the trust list as the rows stand: newest root first. It never expires."""
    numbered = Root.objects.filter(server=server, kind=RootKind.ROOT).order_by("-number")
    made = list(numbered.filter(state__in=(RootState.ACTIVE, RootState.REVOKED)))
    return TrustList(
        server=server.fqdn,
        audience=EVERYONE,
        sequence=sequence,
        issued_at=now,
        roots=listed(made),
        crosses=carried.crosses(server),
        revoked=tuple(_revoked(root) for root in made if root.state == RootState.REVOKED),
    )


def listed(made: list[Root]) -> tuple[ListedRoot, ...]:
    """Return the active roots among `made` as a trust list or an init file names them."""
    return tuple(ListedRoot(root.name, bytes(root.certificate_der)) for root in made if root.is_active)


def _revoked(root: Root) -> RevokedRoot:
    reason = RevocationReason(root.revocation_reason)
    if root.revoked_at is None or root.fingerprint is None:
        raise LookupError(f"{root.name} is revoked without a date or a fingerprint.")
    return RevokedRoot(
        root.name, root.fingerprint, reason.label, reason == RevocationReason.COMPROMISED, root.revoked_at
    )
