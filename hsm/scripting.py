"""What `manage.py hsm` does: read rows, or ask the worker and wait. It opens nothing, so it may run on any host."""

from collections.abc import Sequence
from time import monotonic, sleep
from typing import Any

from console.jobs.models import FINISHED, Job, State
from console.lib.actor import Actor
from console.lib.errors import NotFoundError, UnavailableError
from console.servers.current import current
from hsm.connections import requests as connection_requests
from hsm.groups.overview import key_count, standing
from hsm.models.groups import Connection, ConnectionState, Group
from hsm.syncing import requests as sync_requests

OPERATOR = Actor.system("manage.py hsm")
LOOK_EVERY_S = 0.3


def find_groups(names: Sequence[str]) -> list[Group]:
    """Return the groups of these titles or ids, or every group; raises NotFoundError for one that is not there."""
    groups = list(Group.objects.filter(server=current(), deleted_at__isnull=True).prefetch_related("connections"))
    if not names:
        return groups
    found = []
    for name in names:
        fits = [group for group in groups if name in (group.title, str(group.pk))]
        if not fits:
            raise NotFoundError(f"This server has no group “{name}”.")
        found += fits
    return found


def described(group: Group) -> dict[str, Any]:
    """Return a group for a script: no PIN, no certificate, no key."""
    connections = list(group.connections.all())
    return {
        "id": str(group.pk),
        "title": group.title,
        "kind": group.kind,
        "hsm_type": group.hsm_type,
        "state": standing(connections).text if group.is_hsm else "",
        "keys": key_count(group),
        "connections": [_connection(number, one) for number, one in enumerate(connections, start=1)],
    }


def _connection(number: int, one: Connection) -> dict[str, Any]:
    return {
        "priority": number,
        "id": str(one.pk),
        "name": one.name,
        "slot": one.slot,
        "state": one.get_state_display(),
        "since": one.state_since.isoformat() if one.state_since else None,
        "checked": one.checked_at.isoformat() if one.checked_at else None,
        "latency_ms": one.latency_ms,
        "fault": one.fault,
        "code": one.fault_code,
        "next_step": one.fault_next_step,
    }


def serves(group: Group) -> bool:
    """Whether key operations of the group are possible, as far as was seen last."""
    return not group.is_hsm or group.connections.filter(state=ConnectionState.CONNECTED).exists()


def test(group: Group, wait_s: float) -> bool:
    """Have a group's connections tested; return whether all of them work. Raises UnavailableError after `wait_s`."""
    job = _wait(connection_requests.ask_for_test(group, actor=OPERATOR), wait_s)
    outcomes = job.result.get("outcomes", [])
    return job.state == State.SUCCEEDED and all(one["connected"] for one in outcomes)


def sync(group: Group, wait_s: float) -> Job:
    """Have a group's keys synced, and return the job that ended. Raises ConsoleError."""
    return _wait(sync_requests.sync(group, actor=OPERATOR), wait_s)


def _wait(job: Job, wait_s: float) -> Job:
    until = monotonic() + wait_s
    while job.state not in FINISHED:
        if monotonic() > until:
            raise UnavailableError(
                f"The job {job.pk} has not ended after {wait_s:g} s. It goes on without being waited for.",
                next_step="Look at Background Jobs, and that a worker of this server runs.",
            )
        sleep(LOOK_EVERY_S)
        job.refresh_from_db()
    return job
