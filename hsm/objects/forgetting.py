"""Forget the material of an import. It runs at the end of every attempt, of a cancelled job, and in housekeeping."""

from uuid import UUID

from console.jobs.models import FINISHED, Job
from hsm.models.objects import UNSETTLED, KeyMaterial


def forget(object_id: UUID | str) -> None:
    """Delete the material of one import."""
    KeyMaterial.objects.filter(object__pk=object_id).delete()


def forget_left() -> int:
    """Delete what a job left that has ended, or whose key is settled; return how many."""
    ended = KeyMaterial.objects.filter(job__in=Job.objects.filter(state__in=FINISHED))
    settled = KeyMaterial.objects.exclude(object__state__in=UNSETTLED)
    return ended.delete()[0] + settled.delete()[0]
