"""What a restore forgets of clients (`keys.backup.memories`): who was revoked, who enrolled, which files enrol."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from django.db.models import QuerySet

from console.lib import clock
from console.lib.durations import stamp
from trust.models.certificates import Certificate
from trust.models.clients import Client
from trust.models.credentials import Credential

NAMED = 20


class ClientMemory:
    """Implements keys.backup.memories.Memory."""

    def going(self, since: datetime) -> Iterator[str]:
        """Name whom the rows that go know, and the backup does not, or not so."""
        revoked = Client.objects.filter(revoked_at__gt=since).order_by("name")
        yield from _named(revoked, "Revoked after the backup, and valid again: {}. Revoke them again.")
        withdrawn = Credential.objects.filter(withdrawn_at__gt=since, expires_at__gt=clock.now()).order_by("created_at")
        yield from _named(
            withdrawn, "Withdrawn after the backup, and enrolling again: {}. Withdraw them again, or forget them."
        )
        # Their certificates are the newest rows: no index by time is needed for what a restore asks once.
        later = Client.objects.filter(
            pk__in=Certificate.objects.filter(issued_at__gt=since, revoked_at=None).order_by().values("client")
        ).order_by("name")
        yield from _named(
            later.filter(created_at__lte=since),
            "Got a certificate after the backup that this server does not know any more: {}. Each will wait on its "
            "page for you to allow its key, unless you Accept forgotten certificates on Client Status.",
        )
        yield from _named(later.filter(created_at__gt=since), "Enrolled after the backup, and unknown now: {}.")

    def missing(self, since: datetime) -> Iterator[str]:
        """Say what the rows that came back cannot know."""
        proven = Client.objects.filter(authenticated=True)
        if not proven.exists() and not Credential.objects.exists():
            return
        at = stamp(since)
        yield (
            f"Clients: what happened after {at} is forgotten. Whoever was revoked since is valid again: revoke them "
            "again; the activity log that was exported since, or the server that was lost, names them."
        )
        renewed = proven.filter(revoked_at=None, certificate_until__lte=clock.now()).count()
        yield (
            "Clients: a certificate that was issued since is refused as unknown. A client whose name is not known "
            "enrols again by the credential of its keystead-init.dat, while that one counts. One whose name is known "
            "proves its last key; this server may know only an older one, and then it waits on its page: compare the "
            "fingerprint on the computer, and allow its key once. For all of them together: Accept forgotten "
            "certificates, on Client Status; it also lets in whoever was revoked since, so revoke those again first. "
            f"Of {proven.count():,} known clients, {renewed:,} must have renewed since, or are gone: by the "
            "backup their certificates have ended."
        )
        enrolling = Credential.objects.filter(withdrawn_at=None, expires_at__gt=clock.now()).exclude(secret_sha256="")
        yield from _named(
            enrolling.order_by("created_at"),
            "These files enrol new names now, also when they were withdrawn or used up since: {}. Withdraw those that "
            "should not.",
        )
        allowed = Client.objects.filter(reenrol_until__gt=clock.now()).order_by("name")
        yield from _named(
            allowed,
            "May enrol once without proof, also when they did so since: {}. Withdraw that permission where it is not "
            "needed.",
        )


def _named(rows: QuerySet[Any], sentence: str) -> Iterator[str]:
    """Yield the sentence with the first of the rows in it, and how many more there are; nothing for no rows."""
    if count := rows.count():
        names = ", ".join(_name(one) for one in rows[:NAMED])
        more = f" and {count - NAMED:,} more" if count > NAMED else ""
        yield sentence.format(f"{names}{more}")


def _name(row: Client | Credential) -> str:
    return row.name if isinstance(row, Client) else f"{row.short} ({row.note or 'without a note'})"
