"""Ask for other permissions of a key: of its virtual key alone, or first of the key in the device (POL-05, POL-09)."""

from console.activity import log
from console.jobs.models import Job
from console.lib.actor import Actor
from console.lib.errors import InvalidError
from hsm.actions import Action
from hsm.device.base import KeySpec
from hsm.device.objects import Operation, operations_of
from hsm.jobs import PERMIT_OBJECT
from hsm.models.objects import Family, SecurityObject
from hsm.objects import asking
from hsm.objects.policy import Change, applies
from hsm.objects.record import operations, values

OPERATIONS = "operations"  # a parameter of the job


def possible(key: SecurityObject) -> frozenset[Operation]:
    """Return what the key can be permitted to do: by its type, and what it is permitted already."""
    if key.spec:
        by_type = operations_of(KeySpec(key.spec))
    else:  # of a type that the console does not make: what PKCS#11 knows for its family
        by_type = frozenset(Operation) - (
            frozenset({Operation.DERIVE}) if key.family == Family.KEY_PAIR else frozenset()
        )
    return by_type | operations(key)


@asking.change(Action.OBJECT_PERMITTED)
def request(key: SecurityObject, wanted: frozenset[Operation], *, actor: Actor) -> Job | None:
    """Change the virtual key now, or queue the change of the key itself, which its virtual key then follows.

    Raises InvalidError, NotFoundError, ConflictError, BusyError.
    """
    fresh = asking.lock(key)
    surplus = values(wanted - possible(fresh))
    if surplus:
        raise InvalidError(f"This key cannot {' or '.join(surplus)}. Nothing was changed.", field="operations")
    before, after = fresh.operations, values(wanted)
    if before == after and not fresh.out_of_step:
        raise InvalidError("These are the permissions that it has. Nothing was changed.", field="operations")
    if applies(fresh.group, Change.PERMISSIONS):
        return asking.enqueue(
            PERMIT_OBJECT,
            fresh,
            Action.OBJECT_PERMIT_REQUESTED,
            actor=actor,
            params={OPERATIONS: after},
            before=before,
            after=after,
        )
    SecurityObject.objects.filter(pk=fresh.pk).update(operations=after, out_of_step=False, problem="", problem_code="")
    details = {"before": before, "after": after, "HSM": "not changed, by policy"}
    log.append(Action.OBJECT_PERMITTED, fresh.subject, actor=actor, details=details)
    return None
