"""Known clients that ask for a certificate and cannot prove their last key, and the permission to do without (once)."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import F

from console.activity import log
from console.activity.models import Outcome
from console.lib import clock
from console.lib.actor import Actor
from console.lib.digest import timestamp
from console.lib.errors import ConflictError, InvalidError
from serving.sites import site
from trust.actions import Action
from trust.clients import places
from trust.clients.windows import Limit
from trust.models.clients import Client, ClientState, PendingEnrolment

LONGEST_HOURS = 24 * 7


MOST_NEW_OF_SITE, MOST_NEW_TOGETHER = 60, 600
"""New keys in a minute, in one process, whatever the names: each is an entry of the activity log. Who is over it asks
again five minutes later."""

_new = Limit(MOST_NEW_OF_SITE, 60, MOST_NEW_TOGETHER)


@transaction.atomic
def wait(client_id: UUID, spki_fingerprint: str, credential_id: UUID, address: str, now: datetime) -> None:
    """Write down that a key waits for its certificate, if there is a place for it (`trust.clients.places`).

    The first time it is in the activity log, too.
    """
    client = Client.objects.select_for_update().get(pk=client_id)
    held = PendingEnrolment.objects.filter(client=client, spki_fingerprint=spki_fingerprint).first()
    others = PendingEnrolment.objects.filter(client=client, credential_id=credential_id)
    if held is not None and held.credential_id == credential_id:
        _again(held, now, address=address)
        return
    going = places.room(list(others), address, now)
    if held is not None and going is None:
        _again(held, now)  # it keeps the place that it came by
        return
    if going is None or not (held or _new.passes(site(address))):
        return
    for one in going:
        one.delete()
    if held is not None:
        _again(held, now, address=address, credential_id=credential_id)
        return
    PendingEnrolment.objects.create(
        client=client,
        spki_fingerprint=spki_fingerprint,
        credential_id=credential_id,
        address=address,
        first_at=now,
        last_at=now,
    )
    details = {"key": spki_fingerprint, "address": address, "credential": str(credential_id)}
    log.append(
        Action.ENROLMENT_WAITS,
        client.subject,
        actor=Actor.system("listener"),
        outcome=Outcome.REQUESTED,
        details=details,
    )


def _again(held: PendingEnrolment, now: datetime, **came_by: Any) -> None:
    PendingEnrolment.objects.filter(pk=held.pk).update(last_at=now, tries=F("tries") + 1, **came_by)


@transaction.atomic
def allow_once(client: Client, *, actor: Actor, hours: int = 24, key: str = "") -> datetime:
    """Let the client enrol once without proof of its last key, with a valid credential; return until when.

    `key` is the fingerprint of the one that waits and gets the certificate. Empty: whichever comes first, so that
    anybody with a credential may be quicker than the client. Raises InvalidError for what is no choice, ConflictError
    for a client that is revoked or was never authenticated, and while somebody else's choice of another key stands.
    """
    if not 1 <= hours <= LONGEST_HOURS:
        raise InvalidError(f"Choose 1 to {LONGEST_HOURS} hours. Nothing was changed.", field="hours")
    if key and not client.pending.filter(spki_fingerprint=key).exists():
        raise InvalidError("This key does not wait any more. Nothing was changed.", field="key")
    now = clock.now()
    until = now + timedelta(hours=hours)
    rows = Client.objects.filter(pk=client.pk, state=ClientState.ACTIVE, authenticated=True)
    held = rows.select_for_update().first()
    if held is None:
        raise ConflictError(f"{client.name} is revoked or never enrolled, so nothing was allowed.")
    if held.reenrol_until and now < held.reenrol_until and held.reenrol_key != key:
        raise ConflictError(
            f"Another key of {client.name} is allowed already, so nothing was changed. Its page says which; withdraw "
            "that permission before you give another."
        )
    rows.update(reenrol_until=until, reenrol_key=key)
    client.reenrol_until, client.reenrol_key = until, key
    details = {"until": timestamp(until), "key": key or "whichever comes first"}
    log.append(Action.REENROLMENT_ALLOWED, client.subject, actor=actor, details=details)
    return until


@transaction.atomic
def withdraw_permission(client: Client, *, actor: Actor) -> None:
    """Take the permission back; raises ConflictError when there is none (any more)."""
    if not Client.objects.filter(pk=client.pk, reenrol_until__isnull=False).update(reenrol_until=None, reenrol_key=""):
        raise ConflictError(f"{client.name} has no permission to enrol again, or has just used it.")
    client.reenrol_until = None
    log.append(Action.REENROLMENT_WITHDRAWN, client.subject, actor=actor)
