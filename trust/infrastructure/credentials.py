"""Enrolment credentials: made for a file, counted, withdrawn. What one opens is decided in `trust.clients`."""

import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import F, TextChoices

from console.activity import log
from console.lib import clock
from console.lib.actor import Actor
from console.lib.digest import timestamp
from console.lib.errors import ConflictError
from console.servers.models import Server
from trust.actions import Action
from trust.errors import CredentialNotFoundError
from trust.infrastructure import stranded
from trust.models.credentials import Credential
from trust.models.initfiles import UNDER_WAY, InitFile, InitFileState

MOST_USES, MOST_USES_AT_MOST = 1_000, 1_000_000
DAYS, DAYS_AT_MOST = 90, 3_650
NOTE_LENGTH = 200


class CredentialState(TextChoices):
    """What an administrator sees. Only a valid one enrols."""

    MAKING = "making", "File not handed out yet"
    VALID = "valid", "Valid"
    EXHAUSTED = "exhausted", "Used up"
    EXPIRED = "expired", "Expired"
    WITHDRAWN = "withdrawn", "Withdrawn"


@dataclass(frozen=True)
class Limits:
    """How far a credential reaches, and for whom it is."""

    most_uses: int = MOST_USES
    days: int = DAYS
    note: str = ""


def state(credential: Credential, now: datetime) -> CredentialState:
    """Return what a credential is good for."""
    if credential.withdrawn_at is not None:
        return CredentialState.WITHDRAWN
    if credential.expires_at <= now:
        return CredentialState.EXPIRED
    if credential.uses >= credential.most_uses:
        return CredentialState.EXHAUSTED
    return CredentialState.VALID if credential.secret_sha256 else CredentialState.MAKING


def find(credential_id: uuid.UUID | str) -> Credential:
    """Return a credential; raises CredentialNotFoundError."""
    found = Credential.objects.select_related("server").filter(pk=credential_id).first()
    if found is None:
        raise CredentialNotFoundError("There is no such enrolment credential.")
    return found


def intend(server: Server, limits: Limits, *, actor: Actor) -> Credential:
    """Write the row of a credential whose secret is not made yet, inside the caller's transaction."""
    now = clock.now()
    return Credential.objects.create(
        server=server,
        note=limits.note,
        most_uses=limits.most_uses,
        created_by=actor.name or actor.planned_by,
        created_at=now,
        expires_at=now + timedelta(days=limits.days),
    )


def details(credential: Credential) -> dict[str, object]:
    """Return what the activity log says of a credential."""
    return {
        "note": credential.note,
        "new names at most": credential.most_uses,
        "valid until": timestamp(credential.expires_at),
    }


@transaction.atomic
def withdraw(credential: Credential, seen: str, *, actor: Actor) -> None:
    """End a credential for good; a file that waits for its browser goes with it.

    `seen` is the digest of `stranded.stranded` that the administrator read. Raises ConflictError when that has changed,
    or when it is withdrawn already.
    """
    now = clock.now()
    row = Credential.objects.select_for_update(of=("self",)).get(pk=credential.pk)
    concerned = stranded.stranded(row)
    if row.withdrawn_at is None and seen != concerned.digest:
        raise stranded.ChangedError(
            "Who depends on this file has changed since you opened this dialog. Nothing was withdrawn.",
            next_step="Read the names again and confirm.",
        )
    if not end(row, now, by=actor.name):
        raise ConflictError("This credential is withdrawn already. Nothing was changed.")
    told = {**details(row), "new names enrolled": row.uses, "without another way": concerned.count}
    log.append(Action.CREDENTIAL_WITHDRAWN, row.subject, actor=actor, details=told)


def end(credential: Credential, now: datetime, *, by: str, file: InitFileState = InitFileState.WITHDRAWN) -> bool:
    """Mark a credential as withdrawn, and its file as never to be fetched; say whether this call did it."""
    InitFile.objects.filter(credential=credential, state__in=UNDER_WAY).update(state=file, sealed=None)
    open_row = Credential.objects.filter(pk=credential.pk, withdrawn_at=None)
    return bool(open_row.update(withdrawn_at=now, withdrawn_by=by))


def note_exhausted(server: Server, now: datetime) -> int:
    """Write into the activity log which credentials have enrolled as many new names as they may; return how many.

    Enrolment itself only counts: it must not wait for the head of the log.
    """
    used_up = Credential.objects.filter(server=server, exhausted_at=None, uses__gte=F("most_uses"))
    noted = 0
    for credential in used_up:
        with transaction.atomic():
            if Credential.objects.filter(pk=credential.pk, exhausted_at=None).update(exhausted_at=now):
                log.append(
                    Action.CREDENTIAL_EXHAUSTED, credential.subject, actor=Actor.system(), details=details(credential)
                )
                noted += 1
    return noted
