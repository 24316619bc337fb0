"""Let clients back in by certificates that a restore made this server forget: one decision for all, for a week.

Off until an administrator takes it, and only after a restore, which the activity log tells. Which certificates count
stands in `trust.clients.forgotten`.
"""

import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction
from django.db.models import F

from console.activity import log
from console.activity.models import Entry
from console.lib import clock
from console.lib.actor import Actor
from console.lib.digest import timestamp
from console.lib.errors import ConflictError
from console.servers.models import Server
from keys import rotation
from keys.actions import Action as KeyAction
from keys.purposes import Purpose
from trust.actions import Action
from trust.errors import OvertakenError
from trust.models.certificates import Certificate
from trust.models.clients import Client
from trust.models.readmissions import Readmission

LASTS = timedelta(days=7)


@dataclass(frozen=True)
class Restored:
    """The last restore: when its backup was made, when it was brought back, what is known to be forgotten since."""

    made_at: datetime
    at: datetime
    forgotten: tuple[str, ...]


@dataclass(frozen=True)
class Admission:
    """What one client comes back by. `newest_id` is the newest certificate of its that is known."""

    readmission_id: UUID
    newest_id: int
    serial: str
    spki_der: bytes


def last_restore(server: Server) -> Restored | None:
    """Return what the activity log tells of the last restore of this server; None without one."""
    entries = Entry.objects.filter(action=KeyAction.BACKUP_RESTORED, server=server.fqdn)
    entry = entries.order_by("-seq").first()
    if entry is None:
        return None
    details = json.loads(entry.details)
    return Restored(datetime.fromisoformat(details["made"]), entry.at, tuple(details.get("forgotten", ())))


def standing(server: Server, now: datetime) -> Readmission | None:
    """Return the decision that holds now. One that a later restore brought back with its backup does not."""
    restored = last_restore(server)
    return _about(restored, server, now) if restored else None


def offered(server: Server, now: datetime) -> Restored | None:
    """Return the restore after which a forgotten certificate may still be valid, while nothing was decided of it."""
    restored = last_restore(server)
    if restored is None or _about(restored, server, now):
        return None
    hours = rotation.interval(Purpose.CLIENT_TLS, server).hours
    return restored if now < restored.at + timedelta(hours=hours) else None


def _about(restored: Restored, server: Server, now: datetime) -> Readmission | None:
    open_ones = Readmission.objects.filter(server=server, withdrawn_at=None, ends_at__gt=now)
    return open_ones.filter(restored_at=restored.at).first()


@transaction.atomic
def begin(server: Server, *, actor: Actor) -> Readmission:
    """Accept forgotten certificates for a week; raises ConflictError where there is nothing to decide (any more)."""
    Server.objects.select_for_update().get(pk=server.pk)
    now = clock.now()
    restored = offered(server, now)
    if restored is None:
        raise ConflictError("There is no restore to decide about, or somebody has decided already.")
    # One of an earlier time that has ended makes room: only one of a restore may be open.
    Readmission.objects.filter(server=server, withdrawn_at=None, ends_at__lte=now).update(withdrawn_at=F("ends_at"))
    made = Readmission.objects.create(
        server=server,
        made_at=restored.made_at,
        restored_at=restored.at,
        begun_at=now,
        ends_at=now + LASTS,
        begun_by=actor.name,
    )
    details = {
        "backup-made": timestamp(made.made_at),
        "restored": timestamp(made.restored_at),
        "until": timestamp(made.ends_at),
    }
    log.append(Action.READMISSION_BEGUN, made.subject, actor=actor, details=details)
    return made


@transaction.atomic
def withdraw(server: Server, *, actor: Actor) -> None:
    """End the decision that stands; raises ConflictError without one. Who came back by it stays."""
    now = clock.now()
    found = standing(server, now)
    if found is None or not Readmission.objects.filter(pk=found.pk, withdrawn_at=None).update(withdrawn_at=now):
        raise ConflictError("No certificates from before a restore are accepted any more.")
    found.refresh_from_db()
    log.append(Action.READMISSION_WITHDRAWN, found.subject, actor=actor, details={"admitted": found.admitted})


def use(admission: Admission, client_id: UUID, key: str, address: str, now: datetime) -> None:
    """Count one client that comes back, in the transaction of its new certificate and after that: the log comes last.

    Raises OvertakenError when the decision was withdrawn or has ended, or the client got a certificate, meanwhile.
    """
    before = Certificate.objects.filter(client_id=client_id).order_by("-id").values_list("pk", flat=True)[1:2]
    rows = Readmission.objects.filter(pk=admission.readmission_id, withdrawn_at=None, ends_at__gt=now)
    if list(before) != [admission.newest_id] or not rows.update(admitted=F("admitted") + 1):
        raise OvertakenError("The client got a certificate, or forgotten ones are not accepted any more.")
    log.append(
        Action.CLIENT_READMITTED,
        Client.objects.get(pk=client_id).subject,
        actor=Actor.system("listener"),
        details={"certificate": admission.serial, "key": key, "address": address},
    )
