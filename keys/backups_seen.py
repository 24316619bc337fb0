"""The last backup, as the revoke dialog and the workflow show it (KEY-28)."""

from dataclasses import dataclass
from datetime import datetime

from console.jobs.models import Job, State
from console.servers.current import current

KIND = "keys.backup"


@dataclass(frozen=True)
class LastBackup:
    """When it was made, and what for: manual, pre-revocation or post-revocation."""

    created_at: datetime
    label: str


def last() -> LastBackup | None:
    """Return the newest backup of this server that was finished."""
    job = (
        Job.objects.filter(server=current(), kind_name=KIND, state=State.SUCCEEDED, finished_at__isnull=False)
        .order_by("-finished_at")
        .first()
    )
    if job is None or job.finished_at is None:
        return None
    return LastBackup(job.finished_at, str(job.params.get("label", "manual")))
