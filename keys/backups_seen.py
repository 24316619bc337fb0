"""The last backup, as the revoke dialog and the workflow show it (KEY-28)."""

from dataclasses import dataclass
from datetime import datetime

from console.servers.current import current
from keys.models.backup import Backup, BackupLabel


@dataclass(frozen=True)
class LastBackup:
    """When it was finished, and what for, in words."""

    created_at: datetime
    label: str


def last() -> LastBackup | None:
    """Return the newest backup of this server that is whole."""
    finished = Backup.objects.filter(server=current(), finished_at__isnull=False, problem="")
    backup = finished.order_by("-finished_at").first()
    if backup is None or backup.finished_at is None:
        return None
    return LastBackup(backup.finished_at, BackupLabel(backup.label).label.lower())
