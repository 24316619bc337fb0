"""Ask for a successor of a key: same name, type, size, permissions and HSM (SOB-26, SOB-27, AMB-21)."""

from console.jobs.models import Job
from console.lib.actor import Actor
from console.lib.errors import RefusedError
from hsm.actions import Action
from hsm.device.base import KeySpec
from hsm.device.objects import operations_of
from hsm.jobs import ROTATE_OBJECT
from hsm.models.objects import Origin, SecurityObject
from hsm.objects import asking, generation
from hsm.objects.generation import Wanted
from hsm.objects.record import operations


def obstacle(key: SecurityObject) -> str:
    """Return why a key cannot be rotated, or nothing."""
    if key.successor_id and not key.rotated_at:
        return "Its successor is being made."
    if key.successor_id:
        return "It was rotated already; rotate its successor instead."
    if not key.spec:
        return f"The console makes no keys of the type {key.key_type}."
    if key.deactivated_at:
        return "It is deactivated; activate it first."
    if not operations(key) & operations_of(KeySpec(key.spec)):
        return "Nothing is permitted to it, so a successor would be of no use."
    return ""


@asking.change(Action.OBJECT_ROTATED)
def request(key: SecurityObject, *, actor: Actor) -> tuple[SecurityObject, Job]:
    """Write the intention to make the successor, and queue the work; the old key is marked when the new one is there.

    Raises RefusedError, ConflictError, BusyError.
    """
    old = asking.lock(key)
    if why := obstacle(old):
        raise RefusedError(f"{old.name} cannot be rotated. {why} Nothing was changed.")
    spec = KeySpec(old.spec)
    wanted = Wanted(old.name, spec, operations(old) & operations_of(spec))
    new = generation.intend(old.group, wanted, Origin.GENERATED, actor=actor, beside=old)
    SecurityObject.objects.filter(pk=old.pk).update(successor=new)
    job = asking.enqueue(
        ROTATE_OBJECT,
        new,
        Action.OBJECT_ROTATE_REQUESTED,
        actor=actor,
        params={"rotates": str(old.pk)},
        rotates=old.key_id,
    )
    return new, job
