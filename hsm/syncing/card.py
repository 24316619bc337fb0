"""What the Key sync card shows of a group."""

from dataclasses import dataclass
from datetime import datetime

from console.jobs import card as jobs_card
from console.jobs.card import Card, Watch
from console.jobs.models import Job, State
from console.lib import clock
from hsm.models.groups import Group
from hsm.syncing import intervals, requests


@dataclass(frozen=True)
class SyncCard:
    """`job` is the newest sync, `running` whether it goes on; `reported` is the newest that has a report."""

    group: Group
    job: Job | None
    watched: Card | None
    running: bool
    reported: Job | None
    at: datetime | None
    graves: int
    interval: str


def card(group: Group, watch: Watch | None = None) -> SyncCard:
    """Prepare the card; `watch` is what a poll knows."""
    job = requests.of(group)
    running = job is not None and job.is_open
    return SyncCard(
        group=group,
        job=job,
        watched=jobs_card.card(job, clock.now(), watch) if job else None,
        running=running,
        reported=requests.of(group, state=State.SUCCEEDED),
        at=Group.objects.values_list("synced_at", flat=True).get(pk=group.pk),
        graves=group.tombstones.count(),
        interval=intervals.words(group.sync_every_h),
    )
