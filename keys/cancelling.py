"""What cancelling a job of this app records about the key."""

from console.activity import log
from console.jobs.models import Job
from console.lib.actor import Actor
from console.lib.digest import timestamp
from keys.actions import Action


def revocation_cancelled(job: Job, actor: Actor) -> None:
    """Record, in the cancelling transaction, that the root stays."""
    details = {"was due": timestamp(job.due_at), "planned by": job.actor_name, "job": str(job.id)}
    log.append(Action.ROOT_REVOCATION_CANCELLED, job.subject, actor=actor, details=details)
