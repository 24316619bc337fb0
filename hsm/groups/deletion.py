"""Delete a group. Of an HSM group only the console's records go: no gateway is asked, so a dead one does not matter.

The group disappears at once, with its PINs and keys of connections; a job then removes the rows of its virtual keys,
which can be many.
"""

from collections.abc import Callable

from django.db import transaction
from django.db.models import Q

from console.activity import log
from console.jobs import queue
from console.lib import clock
from console.lib.actor import Actor
from console.lib.errors import ConflictError, RefusedError
from hsm.actions import Action
from hsm.connections.editing import lock
from hsm.jobs import DELETE_GROUP
from hsm.models.drafts import StagedClientPair
from hsm.models.groups import Group, GroupMember
from hsm.models.objects import ObjectState, SecurityObject, Tombstone
from hsm.refusals import recorded
from hsm.syncing import requests as sync_requests

BATCH = 500
# A destruction that ended without an answer is tried again for as long as the HSM stays away, which may be for ever.
IN_DOUBT = Q(state=ObjectState.UNKNOWN) | Q(state=ObjectState.DESTROYING) & ~Q(problem_code="")
AT_WORK = Q(state__in=(ObjectState.REQUESTED, ObjectState.CREATING, ObjectState.DESTROYING)) & ~IN_DOUBT
MOST_NAMED = 100


def refusal(group: Group) -> RefusedError | ConflictError | None:
    """Return why the group cannot be deleted now, or None."""
    keys = group.security_objects.exclude(state=ObjectState.FAILED)
    if not group.is_hsm and (count := keys.count()):
        return RefusedError(
            f"The group holds {count} key{'' if count == 1 else 's'} in the key store of this server, and nowhere "
            "else. The group was not deleted.",
            code="group-holds-keys",
            next_step="Delete its keys first; that destroys them for ever.",
        )
    if sync_requests.under_way(group):
        return ConflictError(
            "The keys of the group are being synced. The group was not deleted.",
            code="group-syncing",
            next_step="Wait until the sync has ended.",
        )
    if count := keys.filter(AT_WORK).count():
        return ConflictError(
            f"{count} key{'' if count == 1 else 's'} of the group are being made or deleted. "
            "The group was not deleted.",
            code="group-at-work",
            next_step="Wait until these jobs have ended.",
        )
    return None


def unsettled(group: Group) -> list[SecurityObject]:
    """Return keys of which nobody knows whether the HSM has them: after a deletion nobody looks for them any more."""
    return list(group.security_objects.filter(IN_DOUBT)[:MOST_NAMED])


def delete(group: Group, *, actor: Actor) -> None:
    """Delete a group; keys in an HSM stay there. Raises RefusedError or ConflictError, and then nothing was changed."""
    with recorded(Action.GROUP_DELETED, group.subject, actor=actor), transaction.atomic():
        row = lock(group)
        if error := refusal(row):
            raise error
        details: dict[str, object] = {
            "kind": row.get_kind_display(),
            "virtual keys": row.security_objects.count(),
            "connections": [one.name for one in row.connections.all()],
        }
        if left := unsettled(row):
            details["may be left in the HSM"] = {one.key_id: one.name for one in left}
        row.connections.all().delete()
        GroupMember.objects.filter(group=row).delete()
        StagedClientPair.objects.filter(group=row).delete()
        row.deleted_at, row.sealed_client_key = clock.now(), None
        row.save(update_fields=["deleted_at", "sealed_client_key"])
        queue.enqueue(DELETE_GROUP, subject=row.subject, actor=actor)
        log.append(Action.GROUP_DELETED, row.subject, actor=actor, details=details)


def remove_records(group_id: str, *, progress: Callable[[int, int, str], None]) -> int:
    """Remove the virtual keys and tombstones of a deleted group, in batches; return how many keys there were.

    Safe to begin again. Touches no HSM.
    """
    keys = SecurityObject.objects.filter(group_id=group_id, group__deleted_at__isnull=False)
    total = left = keys.count()
    while left:
        batch = list(keys.values_list("pk", flat=True)[:BATCH])
        SecurityObject.objects.filter(pk__in=batch).delete()
        left = keys.count()
        progress(total - left, total, "Removing the records of virtual keys. The keys in the HSM stay.")
    Tombstone.objects.filter(group_id=group_id, group__deleted_at__isnull=False).delete()
    return total
