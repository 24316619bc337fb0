"""What decides whether a root may be revoked: one reading of the rows, and the rule (KEY-24, AMB-10, AMB-48)."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from uuid import UUID

from console.jobs.models import OPEN, Job
from console.servers.models import Server
from keys import succession
from keys.jobs import REVOKE_ROOT
from keys.models.root import RevocationReason, Root, RootState
from keys.models.statements import CrossCertificate

# With these reasons the old key is not trusted to carry anything over, so nothing needs to wait for it.
WITHOUT_CARRY_OVER = (RevocationReason.DOUBT, RevocationReason.COMPROMISED)


@dataclass(frozen=True)
class Standing:
    """The roots of one server, the open revocations by root, and the pairs (issuer, subject) that are certified."""

    server: Server
    roots: tuple[Root, ...]
    pending: Mapping[UUID, Job]
    certified: frozenset[tuple[UUID, UUID]]

    @classmethod
    def read(cls, server: Server) -> "Standing":
        """Read it; inside `RootCounter.lock` it also holds until the commit."""
        roots = tuple(Root.objects.filter(server=server).select_related("server", "binding"))
        jobs = Job.objects.filter(server=server, kind_name=REVOKE_ROOT.name, state__in=OPEN)
        certified = CrossCertificate.objects.filter(issuer__server=server).values_list("issuer_id", "subject_id")
        return cls(server, roots, {UUID(job.subject_id): job for job in jobs}, frozenset(certified))

    @cached_property
    def newest(self) -> Root | None:
        """The newest active root."""
        active = succession.numbered(self.roots)
        return active[-1] if active else None

    def replacement(self, root: Root) -> Root | None:
        """Return the root that would stand in for `root`."""
        return succession.replacement(root, self.roots, self.pending.keys() - {root.pk})

    def refusal(self, root: Root) -> str:
        """Return why `root` may not be revoked, in a sentence for the page; empty when it may."""
        if root.server_id != self.server.pk:
            return f"This key belongs to {root.server.fqdn}. Revoke it in the console of that server."
        if root.is_legacy:
            return "legacy-root cannot be revoked: no new key for Client 7.2 can be made to replace it."
        if root.state == RootState.REVOKED:
            return f"{root.name} was revoked already."
        if root.state != RootState.ACTIVE:
            return f"{root.name} is not active, so there is nothing to revoke."
        if self.replacement(root):
            return ""
        return self._no_replacement(root)

    def _no_replacement(self, root: Root) -> str:
        after = succession.later(root, self.roots)
        if after:
            return f"{after[-1].short_name} is itself due to be revoked. Cancel that, or create a new key first."
        if len(succession.numbered(self.roots)) == 1:
            return "The only root key of this server. Create a replacement before revoking it."
        return "Newest key on this server. Create a replacement before revoking it."

    def uncertified(self, root: Root, reason: str) -> str:
        """Return why a revocation for `reason` has to wait for cross-certificates; empty when it has not."""
        new = self.replacement(root)
        made = [other for other in self.roots if other.state in {RootState.ACTIVE, RootState.REVOKED}]
        if new is None or reason in WITHOUT_CARRY_OVER or not succession.is_carried_over(root, new, made):
            return ""
        if {(root.pk, new.pk), (new.pk, root.pk)} <= self.certified:
            return ""
        return (
            f"{root.short_name} and {new.short_name} have not certified each other yet. Until then, whoever knows "
            f"only {root.short_name} could not follow to {new.short_name}."
        )
