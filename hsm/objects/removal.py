"""Ask for the end of a key, or of its private component, as far as the group's policy says (SOB-25, SOB-28)."""

from console.activity import log
from console.jobs.models import Job
from console.lib import clock
from console.lib.actor import Actor
from console.lib.errors import RefusedError
from hsm.actions import Action
from hsm.jobs import DELETE_OBJECT, REMOVE_PRIVATE
from hsm.models.objects import Family, ObjectState, SecurityObject
from hsm.objects import asking
from hsm.objects.policy import Change, applies
from hsm.syncing.tombstones import bury

DELETABLE = (ObjectState.ACTIVE, ObjectState.FAILED)


def delete_obstacle(key: SecurityObject) -> str:
    """Return why a key cannot be deleted now, or nothing."""
    if key.state not in DELETABLE:
        return "It is not settled yet; wait until its job ends."
    if key.state == ObjectState.FAILED and key.look_after:
        return "A slow HSM may have made it after all: the console looks for it once more first."
    if key.successor_id and not key.rotated_at:
        return "Its successor is being made; wait until that job ends."
    return ""


@asking.change(Action.OBJECT_DELETED)
def delete(key: SecurityObject, *, actor: Actor) -> Job | None:
    """Delete the virtual key now, or queue the destruction of the key itself, after which the row goes.

    Raises RefusedError, NotFoundError, ConflictError, BusyError.
    """
    fresh = asking.lock(key, DELETABLE)
    if why := delete_obstacle(fresh):
        raise RefusedError(f"{fresh.name} cannot be deleted now. {why} Nothing was changed.")
    if fresh.state == ObjectState.FAILED:
        _drop(fresh, {"what": "the record of a key that was never made"}, actor=actor)
        return None
    if not applies(fresh.group, Change.DELETE):
        label, serial = token_of(fresh)
        bury(fresh, token_label=label, token_serial=serial, actor=actor)
        _drop(fresh, {"HSM": "not changed, by policy"}, actor=actor)
        return None
    SecurityObject.objects.filter(pk=fresh.pk).update(
        state=ObjectState.DESTROYING, problem="", problem_code="", look_after=None
    )
    return asking.enqueue(
        DELETE_OBJECT, fresh, Action.OBJECT_DELETE_REQUESTED, actor=actor, params={}, fingerprint=fresh.fingerprint
    )


def private_obstacle(key: SecurityObject) -> str:
    """Return why the private component of a key cannot be removed, or nothing."""
    if key.family != Family.KEY_PAIR:
        return "A secret key has no public component that would stay."
    if key.private_removed_at or key.hsm_has_private is False:
        return "There is none any more."
    if not key.spki_der or key.hsm_has_public is False:
        return "There is no public component that would stay; delete the key instead."
    return ""


@asking.change(Action.OBJECT_PRIVATE_REMOVED)
def remove_private(key: SecurityObject, *, actor: Actor) -> Job | None:
    """Take the private component from the virtual key now, or queue its destruction in the device first.

    Raises RefusedError, NotFoundError, ConflictError, BusyError.
    """
    fresh = asking.lock(key)
    if why := private_obstacle(fresh):
        raise RefusedError(f"The private component of {fresh.name} cannot be removed. {why} Nothing was changed.")
    if applies(fresh.group, Change.REMOVE_PRIVATE):
        action = Action.OBJECT_PRIVATE_REQUESTED
        return asking.enqueue(REMOVE_PRIVATE, fresh, action, actor=actor, params={}, fingerprint=fresh.fingerprint)
    SecurityObject.objects.filter(pk=fresh.pk).update(private_removed_at=clock.now())
    details = {"HSM": "not changed, by policy", "key id": fresh.key_id}
    log.append(Action.OBJECT_PRIVATE_REMOVED, fresh.subject, actor=actor, details=details)
    return None


def token_of(key: SecurityObject) -> tuple[str, str]:
    """Return label and serial of the token that the group was found to reach; empty when it never was."""
    found = key.group.connections.exclude(serial="").values_list("label", "serial").first()
    return found or ("", "")


def _drop(key: SecurityObject, details: dict[str, str], *, actor: Actor) -> None:
    """Delete the row, and write the entry as the last statement."""
    about = {"group": key.group.title, "key id": key.key_id, "fingerprint": key.fingerprint, **details}
    subject = key.subject
    key.delete()
    log.append(Action.OBJECT_DELETED, subject, actor=actor, details=about)
