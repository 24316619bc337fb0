"""Deactivate a key, and activate it again. No policy takes this to the device (SOB-24)."""

from console.activity import log
from console.lib import clock
from console.lib.actor import Actor
from console.lib.errors import ConflictError
from hsm.actions import Action
from hsm.models.objects import SecurityObject
from hsm.objects import asking


@asking.change(Action.OBJECT_DEACTIVATED)
def deactivate(key: SecurityObject, *, actor: Actor) -> None:
    """Have every use of the key refused from now on; raises ConflictError when it is deactivated already."""
    fresh = asking.lock(key)
    if fresh.deactivated_at:
        raise ConflictError(f"{fresh.name} is deactivated already. Nothing was changed.")
    SecurityObject.objects.filter(pk=fresh.pk).update(deactivated_at=clock.now())
    log.append(Action.OBJECT_DEACTIVATED, fresh.subject, actor=actor, details={"key id": fresh.key_id})


@asking.change(Action.OBJECT_ACTIVATED)
def activate(key: SecurityObject, *, actor: Actor) -> None:
    """Let the key be used again as its permissions say; raises ConflictError when it is not deactivated."""
    fresh = asking.lock(key)
    if not fresh.deactivated_at:
        raise ConflictError(f"{fresh.name} is not deactivated. Nothing was changed.")
    SecurityObject.objects.filter(pk=fresh.pk).update(deactivated_at=None)
    log.append(Action.OBJECT_ACTIVATED, fresh.subject, actor=actor, details={"key id": fresh.key_id})
