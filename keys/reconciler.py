"""Look after keys whose making was interrupted (docs/design.md §4).

Each creation job comes back by itself; here stands what catches those that have no job any more, and the second look
for a key that a slow token made after all.
"""

from datetime import timedelta

from django.db import transaction
from django.db.models import Exists, OuterRef, Q

from console.activity import log
from console.jobs import queue
from console.jobs.models import OPEN, Job
from console.lib import clock
from console.lib.actor import Actor
from console.servers.models import Server
from hsm.errors import BindingForgottenError
from keys import saga, stores
from keys.actions import Action
from keys.errors import FencedError
from keys.jobs import CREATE_ROOT, LEASE_S
from keys.models.root import UNSETTLED, Root, RootCounter, RootState
from keys.models.subordinate import Subordinate, SubordinateState

LOOK_AGAIN = timedelta(hours=1)


def reconcile(server: Server) -> str:
    """Do one round for a server; return what was done."""
    resumed = resume_roots(server)
    late = sum(look_again(row) for row in _due_for_second_look(server))
    return f"{resumed} creations resumed, {late} late keys cleaned up." if resumed or late else "Nothing is unsettled."


@transaction.atomic
def resume_roots(server: Server) -> int:
    """Queue the creation again for every unsettled root whose job has ended, once no call of it can be running.

    (Subordinate keys need no such care: the renewal scan finds that one is missing, and takes the open row up.)
    """
    now = clock.now()
    RootCounter.lock(server)
    open_jobs = Job.objects.filter(server=server, kind_name=CREATE_ROOT.name, state__in=OPEN)
    busy = set(open_jobs.values_list("subject_id", flat=True))
    pause = timedelta(seconds=LEASE_S)
    resumed = 0
    for root in Root.objects.filter(server=server, state__in=UNSETTLED, created_at__lt=now - pause):
        if str(root.pk) in busy or (root.look_after and root.look_after > now):
            continue
        # Doubling, so that a fault that never passes does not fill the list of jobs.
        pause_now = min(pause * 2 ** min(root.attempt, 8), timedelta(days=1))
        Root.objects.filter(pk=root.pk).update(look_after=now + pause_now)
        actor = Actor.system(planned_by=root.requested_by)
        queue.enqueue(CREATE_ROOT, subject=root.subject, actor=actor, server=server)
        resumed += 1
    return resumed


def _due_for_second_look(server: Server) -> list[Root | Subordinate]:
    """Return failed rows that a slow token may have finished, and open ones that another key has replaced by now."""
    now = clock.now()
    failed = Q(state=RootState.FAILED, look_after__lte=now)
    replacement = Subordinate.objects.filter(
        server=server, purpose=OuterRef("purpose"), holder=OuterRef("holder"), activated_at__gt=OuterRef("created_at")
    )
    left = (
        Q(state=SubordinateState.UNKNOWN) & (Q(look_after__isnull=True) | Q(look_after__lte=now)) & Exists(replacement)
    )
    return [
        *Root.objects.filter(failed, server=server).select_related("server", "binding"),
        *Subordinate.objects.filter(failed | left, server=server).select_related("server", "binding"),
    ]


def look_again(row: Root | Subordinate) -> bool:
    """Destroy a key whose creation was given up, if it is there after all; return whether it was.

    A token that is away is asked again in an hour, one that was forgotten never.
    """
    found = None
    try:
        saga.take(row, (saga.FAILED, saga.UNKNOWN))
        with stores.open_device(row) as device:
            found = device.find(row.cka_id)
            if found:
                device.destroy(row.cka_id)
    except FencedError:
        return False
    except BindingForgottenError:
        pass  # nobody can look any more
    except saga.FAULTS:
        if clock.now() - row.created_at > saga.GIVE_UP:
            saga.write(row, (saga.FAILED, saga.UNKNOWN), state=saga.FAILED, fingerprint=None, look_after=None)
            return False
        saga.write(row, (saga.FAILED, saga.UNKNOWN), look_after=clock.now() + LOOK_AGAIN)
        return False
    with transaction.atomic():
        saga.write(row, (saga.FAILED, saga.UNKNOWN), state=saga.FAILED, fingerprint=None, look_after=None)
        if found:
            details = {"key id": row.cka_id.hex(), "store": row.store_label}
            log.append(Action.LATE_KEY_DESTROYED, row.subject, actor=Actor.system(), details=details)
    return bool(found)
