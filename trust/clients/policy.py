"""What holds for every enrolment of the moment, read at most once a second in each process.

A change of a setting, of a server's name or of the intermediate counts within a second, without a restart. Whatever
decides about one client or one credential is never read from here.
"""

import threading
import time
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.conf import settings

from console.servers.current import current
from console.servers.models import Server
from keys import rotation
from keys.models.subordinate import Subordinate, SubordinateState
from keys.purposes import Purpose

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


_lock = threading.Lock()
_read: dict[UUID, tuple[float, Policy]] = {}


def of(issuer_id: UUID) -> Policy:
    """Return the policy for what the intermediate `issuer_id` signs. Raises UnavailableError before set-up."""
    with _lock:
        found = _read.get(issuer_id)
        if found is not None and time.monotonic() - found[0] < FRESH_S:
            return found[1]
        policy = _from_rows(issuer_id)
        _read.clear()
        _read[issuer_id] = (time.monotonic(), policy)
        return policy


def forget() -> None:
    """Have the next one read anew."""
    with _lock:
        _read.clear()


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
