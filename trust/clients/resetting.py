"""Reset the public key of a client (HSI-45, AMB-06): it forgets every root that the trust list does not name.

This is the half that asks. The worker signs the order (`trust.publishing.ordering`), the client gets it with its next
registration, takes the present trust list, and says anew what it holds.
"""

from django.db import transaction

from console.activity import log
from console.activity.models import Outcome
from console.jobs import queue
from console.jobs.models import OPEN, Job
from console.lib.actor import Actor
from console.lib.errors import ConflictError
from trust.actions import Action
from trust.jobs import DIRECT_CLIENT
from trust.models.clients import Client, ClientState


@transaction.atomic
def reset_public_key(client: Client, *, actor: Actor) -> Job:
    """Queue the order, or return the job that is signing one already.

    Raises ConflictError for a client that is revoked, or that never proved a key: it could not tell who orders it.
    """
    held = Client.objects.select_for_update().get(pk=client.pk)
    if held.state == ClientState.REVOKED or not held.authenticated:
        raise ConflictError(f"{held.name} is revoked or never enrolled: no order can be given to it.")
    waiting = Job.objects.filter(
        kind_name=DIRECT_CLIENT.name, subject_kind="client", subject_id=str(held.pk), state__in=OPEN
    ).first()
    if waiting:
        return waiting
    job = queue.enqueue(DIRECT_CLIENT, subject=held.subject, actor=actor, server=held.server)
    details = {"job": str(job.pk)}
    log.append(Action.PUBLIC_KEY_RESET_REQUESTED, held.subject, actor=actor, outcome=Outcome.REQUESTED, details=details)
    return job
