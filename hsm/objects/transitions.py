"""How the row of a key in the making changes: by conditional UPDATEs under the number of the attempt.

An attempt that was given up writes nothing any more. What an error leaves behind is decided by `making`.
"""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db import transaction

from console.activity import log
from console.activity.models import Outcome
from console.lib import clock
from console.lib.actor import Actor
from console.lib.errors import ConsoleError, NotFoundError
from hsm.actions import Action
from hsm.device.errors import DeviceError
from hsm.models.objects import UNSETTLED, ObjectState, SecurityObject
from hsm.objects.errors import FencedError, MakingFailedError, UnsettledError
from hsm.syncing.anew import read_anew

Fault = ConsoleError | DeviceError
FAULTS = (ConsoleError, DeviceError)

# A token that does not come back in this time is taken for lost, so that work on it ends by itself.
GIVE_UP = timedelta(days=30)


def find(object_id: UUID | str) -> SecurityObject:
    """Return a key with its group; raises NotFoundError."""
    found = SecurityObject.objects.select_related("group").filter(pk=object_id).first()
    if found is None:
        raise NotFoundError("There is no such security object any more. Nothing was changed.")
    return found


def take(key: SecurityObject, from_states: Sequence[str], **columns: Any) -> None:
    """Begin the next attempt; raises FencedError when somebody else has the row or it is settled."""
    write(key, from_states, attempt=key.attempt + 1, **columns)


def write(key: SecurityObject, from_states: Sequence[str], **columns: Any) -> None:
    """Change a row that is still in this attempt's hands; raises FencedError when it is not."""
    mine = SecurityObject.objects.filter(pk=key.pk, attempt=key.attempt, state__in=from_states)
    with transaction.atomic():
        if not mine.update(**columns):
            raise FencedError(f"Another attempt has taken over {key.name}. This one changed nothing.")
        if "missing_since" in columns:  # what the HSM says of it now, which no sync has seen
            read_anew(key.group_id)
    key.refresh_from_db()


def fail(key: SecurityObject, fault: Fault, *, actor: Actor, **columns: Any) -> MakingFailedError:
    """Settle a key in the making as failed, with nothing left of it, and return the error to raise."""
    settled = {
        "state": ObjectState.FAILED,
        "problem": fault.message,
        "problem_code": fault.code[:60],
        "look_after": None,
        # Nothing exists under a failed row: its public half must not be taken for one that does.
        "spki_der": None,
        "fingerprint": "",
    }
    with transaction.atomic():
        write(key, UNSETTLED, **(settled | columns))
        SecurityObject.objects.filter(successor=key).update(successor=None)  # a rotation that did not happen
        record(key, Outcome.FAILED, fault, actor=actor)
    return MakingFailedError(fault.message, code=fault.code, next_step=fault.next_step)


def doubt(key: SecurityObject, fault: Fault, *, actor: Actor) -> UnsettledError:
    """Mark a key as unknown and return the error to raise; the entry is written once."""
    first = key.state != ObjectState.UNKNOWN
    with transaction.atomic():
        write(key, UNSETTLED, state=ObjectState.UNKNOWN, problem=fault.message, problem_code=fault.code[:60])
        if first:
            record(key, Outcome.UNKNOWN, fault, actor=actor)
    return UnsettledError(
        f"{fault.message} Whether the key of {key.name} was made is not known yet.",
        code=fault.code,
        next_step="The console looks for its CKA_ID and then finishes it or cleans up.",
    )


def given_up(key: SecurityObject, fault: Fault, *, actor: Actor) -> MakingFailedError:
    """Settle a key whose device has been away for too long, and say what may be left; return the error to raise."""
    lost = ConsoleError(
        f"{fault.message} After {GIVE_UP.days} days the console has stopped looking for the key of {key.name}.",
        code=fault.code,
        next_step=f"If that device comes back, destroy the object with the CKA_ID {key.key_id} on it.",
    )
    return fail(key, lost, actor=actor)


def is_too_old(key: SecurityObject) -> bool:
    """Say whether looking for it any longer makes no sense."""
    return clock.now() - key.created_at > GIVE_UP


def record(key: SecurityObject, outcome: Outcome, fault: Fault | None, *, actor: Actor) -> None:
    """Write how the making of a key went."""
    details = {
        "group": key.group.title,
        "kind of key": key.spec,
        "operations": key.operations,
        "key id": key.key_id,
        "fingerprint": key.fingerprint,
        "attempt": key.attempt,
    }
    if fault:
        details |= {"problem": fault.message, "code": fault.code}
    action = Action.OBJECT_IMPORTED if key.origin == "imported" else Action.OBJECT_GENERATED
    log.append(action, key.subject, actor=actor, outcome=outcome, details=details)
