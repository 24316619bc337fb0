"""What a restore forgets of root keys (`keys.backup.memories`): which were revoked since the backup."""

from collections.abc import Iterable, Iterator
from datetime import datetime

from console.lib.durations import stamp
from console.servers.current import current
from keys.models.root import Root


class RootMemory:
    """Implements keys.backup.memories.Memory."""

    def going(self, since: datetime) -> Iterator[str]:
        """Name the root keys that the rows that go know as revoked, and the backup does not."""
        if revoked := Root.objects.filter(activated_at__lte=since, revoked_at__gt=since):
            yield (
                f"Root keys revoked after the backup, and active again: {_named(revoked)}. Revoke them again, first of "
                "all."
            )

    def missing(self, since: datetime) -> Iterator[str]:
        """Name the root keys that came back as active: nothing here knows whether they still should be."""
        if active := Root.objects.numbered(current()):
            yield (
                f"Active root keys: {_named(active)}. If one of them was revoked after {stamp(since)}, revoke it "
                "again, first of all."
            )


def _named(roots: Iterable[Root]) -> str:
    return ", ".join(f"{root.name} ({str(root.fingerprint)[:16]}…)" for root in roots)
