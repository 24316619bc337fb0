"""What holds for every enrolment of the moment, read at most once a second in each process.

A change of a setting, of a server's name or of the intermediate counts within a second, without a restart, and within
five while the database is slow. Whatever
decides about one client or one credential is never read from here.
"""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.conf import settings

from console.servers.current import current
from console.servers.models import Server
from keys import rotation
from keys.models.subordinate import Subordinate, SubordinateState
from keys.purposes import Purpose
from trust.clients.fresh import Fresh

FRESH_S = 1.0
LEGACY_PREFIX = "legacy."


@dataclass(frozen=True)
class Policy:
    """`reserved` are the names of servers; `root_id` is above the intermediate; `hours` a certificate's validity."""

    server: Server
    reserved: frozenset[str]
    hours: int
    issuer_id: UUID
    root_id: UUID
    issuer_is_active: bool
    issuer_needed_until: datetime | None


def _from_rows(issuer_id: UUID) -> Policy:
    server = current()
    issuer = Subordinate.objects.only("root_id", "state", "needed_until").get(pk=issuer_id)
    fqdns = {*Server.objects.values_list("fqdn", flat=True), settings.SERVER_NAME}
    return Policy(
        server=server,
        reserved=frozenset(fqdns | {LEGACY_PREFIX + fqdn for fqdn in fqdns}),
        hours=rotation.interval(Purpose.CLIENT_TLS, server).hours,
        issuer_id=issuer_id,
        root_id=issuer.root_id,
        issuer_is_active=issuer.state == SubordinateState.ACTIVE,
        issuer_needed_until=issuer.needed_until,
    )


_fresh: Fresh[UUID, Policy] = Fresh(_from_rows)


def of(issuer_id: UUID) -> Policy:
    """Return the policy for what the intermediate `issuer_id` signs. Raises UnavailableError before set-up."""
    return _fresh.get(issuer_id, FRESH_S)


def forget() -> None:
    """Have the next one read anew."""
    _fresh.forget()
