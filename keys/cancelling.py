"""What acts on a job of this app from Background Jobs mean for the key."""

from console.activity import log
from console.jobs.models import Job
from console.lib.actor import Actor
from console.lib.digest import timestamp
from keys.actions import Action


def revocation_cancelled(job: Job, actor: Actor) -> None:
    """Record, in the cancelling transaction, that the root stays."""
    details = {"was due": timestamp(job.due_at), "planned by": job.actor_name, "job": str(job.id)}
    log.append(Action.ROOT_REVOCATION_CANCELLED, job.subject, actor=actor, details=details)


def waits_for_others(job: Job) -> str:
    """Return why a revocation is not run now from there; empty when it may be."""
    if not job.params.get("only_when_ready"):
        return ""
    return "It waits until nobody needs the key any more. To revoke it all the same, use its tile and give a reason."
