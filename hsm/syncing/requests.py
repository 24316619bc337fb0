"""Ask the worker for a sync."""

from django.db import transaction

from console.activity import log
from console.activity.models import Outcome
from console.jobs import queue
from console.jobs.models import OPEN, Job
from console.lib.actor import Actor
from console.lib.errors import ConflictError, RefusedError
from hsm.actions import Action
from hsm.jobs import SYNC
from hsm.models.groups import Group
from hsm.refusals import recorded


def sync(group: Group, *, actor: Actor) -> Job:
    """Queue a sync of the group's keys, as `begin` does, and record a refusal."""
    with recorded(Action.SYNC_REQUESTED, group.subject, actor=actor):
        return begin(group, actor=actor)


@transaction.atomic
def begin(group: Group, *, actor: Actor) -> Job:
    """Queue a sync of the group's keys.

    Raises RefusedError for a group that has nothing to sync with, ConflictError while another sync is under way:
    whoever asks second must not take its result for that of a listing that began after the question.
    """
    locked = Group.objects.select_for_update().filter(pk=group.pk, deleted_at__isnull=True).first()
    if locked is None:
        raise RefusedError(f"“{group.title}” was deleted.")
    if not locked.is_hsm:
        raise RefusedError(f"“{group.title}” is a software group: its keys are here already.")
    if not locked.connections.exists():
        raise RefusedError(
            f"“{group.title}” has no connection, so there is no HSM to read.", next_step="Add a connection first."
        )
    if under_way(group):
        raise ConflictError(
            f"The keys of “{group.title}” are being synced already.", next_step="Wait for the end of that sync."
        )
    job = queue.enqueue(SYNC, subject=group.subject, actor=actor, server=group.server)
    log.append(Action.SYNC_REQUESTED, group.subject, actor=actor, outcome=Outcome.REQUESTED)
    return job


def under_way(group: Group) -> Job | None:
    """Return the group's open sync."""
    return of(group, state__in=OPEN)


def of(group: Group, **conditions: object) -> Job | None:
    """Return the newest sync of a group that meets the conditions."""
    jobs = Job.objects.filter(kind_name=SYNC.name, subject_kind="group", subject_id=str(group.pk), **conditions)
    return jobs.order_by("-created_at", "-id").first()
