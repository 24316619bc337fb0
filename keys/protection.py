"""What protects pki.db of a server, for pages: reads rows only, so that the web process may ask (SET-27, KEY-32)."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime

from console.jobs.models import OPEN, Job
from console.lib.actor import Actor
from console.servers.models import Server
from keys.models.keystore import KeyStore, Protection
from settings_store.contradictions import KnownToken
from settings_store.guards import Loss

SETTING = "PKIDatabasePassword"
JOB_KIND = "keys.pki-password"


@dataclass(frozen=True)
class ProtectionState:
    """`is_encrypted`: by a password of its own. `job` is the change under way; `problem` why the last one stopped."""

    label: str
    is_encrypted: bool
    since: datetime | None = None
    job: Job | None = None
    problem: str = ""

    @property
    def is_changing(self) -> bool:
        """Whether a change is under way: until it is done, the former password opens the file as well."""
        return self.job is not None


class KeyStoreGuard:
    """Implements `settings_store.guards.Guard`: says beside the setting what protects the file of each server now."""

    def known_tokens(self) -> tuple[KnownToken, ...]:
        """Return none: pki.db is no token."""
        return ()

    def notices(self, name: str) -> Iterator[str]:
        """Return the state of each server (SET-27, SET-45)."""
        if name != SETTING:
            return
        for server in Server.objects.order_by("fqdn"):
            now = state(server)
            yield f"pki.db of {server.fqdn}: {now.label[0].lower()}{now.label[1:]}."
            if now.is_changing:
                yield "A change is under way. Until it is done, the former password opens the file as well."
            if now.problem:
                yield now.problem

    def losses(self, _names: Collection[str]) -> tuple[Loss, ...]:
        """Return none: when the password is deleted, a job wraps the file by the sealing key."""
        return ()

    def forget(self, names: Collection[str], *, actor: Actor) -> None:
        """Give up nothing."""


def state(server: Server) -> ProtectionState:
    """Return what protects the server's key store, as its worker last saw it."""
    row = KeyStore.objects.filter(server=server).first()
    if row is None:
        return ProtectionState("Not made yet", is_encrypted=False)
    job = Job.objects.filter(server=server, kind_name=JOB_KIND, state__in=OPEN).order_by("-created_at").first()
    return ProtectionState(
        label=Protection(row.protection).label,
        is_encrypted=row.protection == Protection.PASSWORD,
        since=row.changed_at,
        job=job,
        problem=row.problem,
    )
