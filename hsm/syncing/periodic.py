"""Sync groups by themselves, where an administrator wants that (AMB-46): off unless an interval is set."""

from datetime import timedelta

from console.jobs.models import OPEN, Job
from console.lib import clock
from console.lib.actor import Actor
from console.lib.errors import ConsoleError
from console.servers.models import Server
from hsm.jobs import SYNC
from hsm.models.groups import Group, GroupKind
from hsm.models.objects import ObjectState, SecurityObject
from hsm.syncing import applying, requests

BY_PLAN = "the group's sync interval"


def start_due(server: Server) -> int:
    """Queue a sync of each group whose interval has passed since the last one was asked for; return how many."""
    started = 0
    groups = Group.objects.filter(server=server, deleted_at__isnull=True, sync_every_h__isnull=False)
    for group in groups.filter(kind=GroupKind.HSM):
        last = requests.of(group)
        if last and clock.now() - last.created_at < timedelta(hours=group.sync_every_h or 1):
            continue
        try:
            requests.begin(group, actor=Actor.system(planned_by=BY_PLAN))
        except ConsoleError:  # no connection, or a sync that just began: the next round looks again
            continue
        started += 1
    return started


def clear(server: Server) -> None:
    """Take away what syncs wrote ahead whose worker was lost and that nobody started again."""
    ahead = SecurityObject.every.filter(group__server=server, state=ObjectState.INCOMING)
    busy = Job.objects.filter(server=server, kind_name=SYNC.name, state__in=OPEN).values_list("subject_id", flat=True)
    for group in Group.objects.filter(pk__in=ahead.values("group")).exclude(pk__in=list(busy)):
        applying.discard(group)
