"""Revoke a client: it is refused from then on, whatever it can prove, and its certificates go on a revocation list."""

from django.db import transaction

from console.activity import log
from console.jobs import queue
from console.jobs.models import Job, State
from console.lib import clock
from console.lib.actor import Actor
from console.lib.errors import ConflictError, InvalidError
from console.servers.models import Server
from trust.actions import Action
from trust.jobs import SIGN_CLIENT_CRL
from trust.models.certificates import Certificate
from trust.models.clients import Client, ClientState, PendingEnrolment

LONGEST_REASON = 200


@transaction.atomic
def revoke(client: Client, reason: str, *, actor: Actor) -> Job | None:
    """Revoke a client for good, and queue the revocation lists; return that job, None for one without a certificate.

    Raises InvalidError without a reason, ConflictError for one that is revoked already. The listener refuses it from
    the commit on.
    """
    reason = reason.strip()
    if not reason or len(reason) > LONGEST_REASON:
        raise InvalidError(
            f"Say why, in at most {LONGEST_REASON} characters. Nothing was changed.", field="reason", code="no-reason"
        )
    now = clock.now()
    # The row first: an enrolment that is under way holds it until its certificate is there, or finds it revoked.
    changed = Client.objects.filter(pk=client.pk, state=ClientState.ACTIVE).update(
        state=ClientState.REVOKED, revoked_at=now, revocation_reason=reason, reenrol_until=None
    )
    if not changed:
        raise ConflictError(f"{client.name} was revoked already. Nothing was changed.")
    certificates = Certificate.objects.filter(client=client, revoked_at=None).update(revoked_at=now)
    PendingEnrolment.objects.filter(client=client).delete()
    client.refresh_from_db()
    job = start(client.server, actor=actor) if client.authenticated else None
    details = {"reason": reason, "certificates": certificates} | ({"job": str(job.pk)} if job else {})
    log.append(Action.CLIENT_REVOKED, client.subject, actor=actor, details=details)
    return job


def start(server: Server, *, actor: Actor) -> Job:
    """Queue the signing of the revocation lists, unless a job that has not begun will do it."""
    waiting = Job.objects.filter(server=server, kind_name=SIGN_CLIENT_CRL.name, state=State.QUEUED).first()
    return waiting or queue.enqueue(SIGN_CLIENT_CRL, subject=server.subject, actor=actor, server=server)
