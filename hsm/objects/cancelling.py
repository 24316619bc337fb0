"""What the cancelling of a job on a security object means. For the web process too."""

from console.jobs.models import Job
from console.lib.actor import Actor
from console.lib.errors import ConsoleError, RefusedError
from hsm.models.objects import ObjectState, SecurityObject
from hsm.objects import transitions
from hsm.objects.forgetting import forget


def making_cancelled(job: Job, actor: Actor) -> None:
    """Settle a key that no device was asked for yet, in the transaction of the cancelling; raises RefusedError."""
    forget(job.subject_id)
    key = SecurityObject.objects.filter(pk=job.subject_id).select_related("group").first()
    if key is None:
        return
    if key.state != ObjectState.REQUESTED:
        raise RefusedError(
            f"A device was asked for the key {key.name} already, and whether it made it is being found out. The job "
            "was not cancelled.",
            next_step="Wait until it is known, then delete the key if you do not want it.",
        )
    transitions.fail(key, ConsoleError("Cancelled before any device was asked.", code="CANCELLED"), actor=actor)
