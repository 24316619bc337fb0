"""Look after keys whose work was interrupted (docs/design.md §4). Worker only, as housekeeping.

Each job comes back by itself; here stands what catches keys that have no job any more, the second look for a key that
a slow token made after all, and material that nothing else forgot.
"""

from datetime import timedelta

from django.db import transaction

from console.activity import log
from console.jobs import queue
from console.jobs.models import OPEN, Job
from console.lib import clock
from console.lib.actor import Actor
from console.servers.models import Server
from hsm.actions import Action
from hsm.connections.opening import open_group
from hsm.device.objects import KeyFamily
from hsm.jobs import DELETE_OBJECT, GENERATE_OBJECT, IMPORT_OBJECT, LEASE_S, OBJECT_KINDS
from hsm.models.objects import UNSETTLED, ObjectState, Origin, SecurityObject
from hsm.objects import transitions
from hsm.objects.errors import FencedError
from hsm.objects.forgetting import forget_left
from hsm.objects.transitions import FAULTS

LOOK_AGAIN = timedelta(hours=1)
FAILED = (ObjectState.FAILED,)


def reconcile(server: Server) -> str:
    """Do one round for a server; return what was done."""
    forgotten = forget_left()
    resumed = resume(server)
    late = sum(look_again(key) for key in _due_for_second_look(server))
    if not (forgotten or resumed or late):
        return "Nothing is unsettled."
    return f"{resumed} keys resumed, {late} late keys cleaned up, material of {forgotten} imports forgotten."


@transaction.atomic
def resume(server: Server) -> int:
    """Queue the work again for every key whose job has ended before it was settled; return how many.

    A job that may still run is open, and a lost one is too until its lease has run out.
    """
    now = clock.now()
    names = [kind.name for kind in OBJECT_KINDS]
    open_jobs = Job.objects.filter(server=server, kind_name__in=names, state__in=OPEN)
    busy = set(open_jobs.values_list("subject_id", flat=True))
    pause = timedelta(seconds=LEASE_S)
    resumed = 0
    unsettled = SecurityObject.objects.filter(
        group__server=server, group__deleted_at=None, state__in=(*UNSETTLED, ObjectState.DESTROYING)
    )
    for key in unsettled.filter(created_at__lt=now - pause).select_related("group"):
        if str(key.pk) in busy or (key.look_after and key.look_after > now):
            continue
        # Doubling, so that a fault that never passes does not fill the list of jobs.
        pause_now = min(pause * 2 ** min(key.attempt, 8), timedelta(days=1))
        SecurityObject.objects.filter(pk=key.pk).update(look_after=now + pause_now, attempt=key.attempt + 1)
        making = IMPORT_OBJECT if key.origin == Origin.IMPORTED else GENERATE_OBJECT
        kind = DELETE_OBJECT if key.state == ObjectState.DESTROYING else making
        queue.enqueue(kind, subject=key.subject, actor=Actor.system(planned_by=key.created_by), server=server)
        resumed += 1
    return resumed


def _due_for_second_look(server: Server) -> list[SecurityObject]:
    due = SecurityObject.objects.filter(group__server=server, state=ObjectState.FAILED, look_after__lte=clock.now())
    return list(due.filter(group__deleted_at=None).select_related("group"))


def look_again(key: SecurityObject) -> bool:
    """Remove a key whose making was given up, if it is there after all; return whether it was.

    A token that is away is asked again in an hour.
    """
    found = None
    try:
        transitions.take(key, FAILED)
        with open_group(key.group) as device:
            found = device.read(KeyFamily(key.family), key.cka_id)
            if found:
                device.remove(KeyFamily(key.family), key.cka_id, found.spki_der)
    except FencedError:
        return False
    except FAULTS:
        later = None if transitions.is_too_old(key) else clock.now() + LOOK_AGAIN
        transitions.write(key, FAILED, look_after=later)
        return False
    with transaction.atomic():
        transitions.write(key, FAILED, look_after=None)
        if found:
            details = {"group": key.group.title, "key id": key.key_id}
            log.append(Action.LATE_OBJECT_DESTROYED, key.subject, actor=Actor.system(), details=details)
    return bool(found)
