"""A client as one line of Client Status, and what its page says first."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from keys.models.root import Root, RootState
from trust.clients import listing, status
from trust.clients.status import Contact, Facts, Mark, Status
from trust.models.clients import NEVER, Client, ClientState


@dataclass(frozen=True)
class Row:
    """What the table shows of a client. Times are None where there was nothing yet."""

    client: Client
    status: Status
    using_tls: Mark
    root: Root | None
    last_seen: datetime | None
    certificate_until: datetime | None

    @property
    def server(self) -> str:
        """The first label of the server it registered with: the rest is the same on every line."""
        return self.client.registered_with.partition(".")[0]

    @property
    def rest(self) -> str:
        """The rest of that server's name."""
        return self.client.registered_with[len(self.server) :]

    @property
    def is_away(self) -> bool:
        """Whether it should have registered since."""
        return self.status.contact in {Contact.OVERDUE, Contact.SILENT}

    @property
    def away_classes(self) -> str:
        """How that is drawn."""
        return f"sm {self.status.contact_mark.kind}"


def rows(clients: Iterable[Client], now: datetime) -> list[Row]:
    """Return the lines; the root of each client is read with it."""
    shown = list(clients)
    waits = listing.waiting(client.pk for client in shown)
    return [row(client, now, waits=client.pk in waits) for client in shown]


def row(client: Client, now: datetime, *, waits: bool) -> Row:
    """Return one line."""
    known = facts(client, waits=waits)
    return Row(
        client=client,
        status=status.status(known, now),
        using_tls=status.using_tls(known),
        root=client.root,
        last_seen=known.last_seen,
        certificate_until=known.certificate_until,
    )


def facts(client: Client, *, waits: bool) -> Facts:
    """Return what is known of a client, for the pure decision."""
    return Facts(
        authenticated=client.authenticated,
        revoked=client.state == ClientState.REVOKED,
        using_tls=client.using_tls,
        last_seen=_time(client.last_seen),
        certificate_until=_time(client.certificate_until),
        root_revoked=client.root is not None and client.root.state == RootState.REVOKED,
        waits=waits,
        allowed_until=client.reenrol_until,
    )


def _time(at: datetime) -> datetime | None:
    return at if at > NEVER else None
