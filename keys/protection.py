"""What protects pki.db of a server, for pages: reads rows only, so that the web process may ask (SET-27, KEY-32)."""

from dataclasses import dataclass
from datetime import datetime

from console.jobs.models import OPEN, Job
from console.servers.models import Server
from keys.models.keystore import KeyStore, Protection

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
