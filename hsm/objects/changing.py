"""Change, reduce or destroy a key that exists: the device first, then its row. Worker only.

Everything here has the same effect when it is done twice, so a job whose outcome is not known does it again. What the
device refuses, and what could not be asked of it, leaves the virtual key as it is, with the reason.
"""

from collections.abc import Callable
from typing import TypeVar

from django.db import transaction

from console.activity import log
from console.activity.models import Outcome
from console.jobs.running import Run
from console.lib import clock
from console.lib.actor import Actor
from console.lib.errors import UnavailableError
from hsm.actions import Action
from hsm.connections.opening import open_group, served_by
from hsm.device.errors import DeviceError, ErrorClass
from hsm.device.objects import KeyFamily, ObjectDevice, ObjectRecord, Operation
from hsm.models.objects import ObjectState, SecurityObject
from hsm.objects import transitions
from hsm.objects.errors import ChangeFailedError, UnsettledError
from hsm.objects.record import hsm_columns, values
from hsm.objects.transitions import FAULTS, Fault
from hsm.syncing.anew import read_anew

_T = TypeVar("_T")
ACTIVE = (ObjectState.ACTIVE,)
DESTROYING = (ObjectState.DESTROYING,)
AGAIN = (ErrorClass.DEVICE, ErrorClass.RETRY_NEW_SESSION)
# Faults of the way to a device: the call never got there.
NOT_REACHED = frozenset(
    {"NO_CONNECTION", "BREAKER_OPEN", "HOST_NOT_STARTED", "TOKEN_BUSY", "STORE_BUSY"}
    | {f"GATEWAY_{name}" for name in ("NAME", "REFUSED", "UNREACHABLE", "TLS_UNTRUSTED", "TLS_NAME", "TLS_EXPIRED")}
    | {f"GATEWAY_{name}" for name in ("CLIENT_CERT", "REDIRECT", "VERSION", "SLOT", "BUSY", "PIN_UNVERIFIED_WAIT")}
)


def permit(run: Run, wanted: frozenset[Operation], *, actor: Actor) -> str:
    """Set the permissions of the key in the device, then of its virtual key (POL-09, POL-12)."""
    key = transitions.find(run.job.subject_id)
    try:
        record = _on_device(key, run, lambda device: _permitted(device, key, wanted))
    except UnsettledError as fault:
        _mark(key, fault, Action.OBJECT_PERMITTED, out_of_step=True, actor=actor)
        raise
    except ChangeFailedError as fault:
        _mark(key, fault, Action.OBJECT_PERMITTED, out_of_step=_differs(key), actor=actor)
        raise
    before, after = key.operations, values(wanted)
    with transaction.atomic():
        columns = hsm_columns(record, clock.now())
        transitions.write(key, ACTIVE, operations=after, out_of_step=False, problem="", problem_code="", **columns)
        details = {"before": before, "after": after, "HSM": "changed"}
        log.append(Action.OBJECT_PERMITTED, key.subject, actor=actor, details=details)
    return f"{key.name} may now {' and '.join(after) or 'do nothing'}, in the HSM as well."


def _permitted(device: ObjectDevice, key: SecurityObject, wanted: frozenset[Operation]) -> ObjectRecord:
    """Set the permissions; whatever comes of it, keep what the device says afterwards."""
    family = KeyFamily(key.family)
    try:
        record = device.permit(family, key.cka_id, wanted)
    except DeviceError as fault:
        if not _is_uncertain(fault):
            _note(key, device.read(family, key.cka_id))
        raise
    _note(key, record)
    if record.operations != wanted:
        raise DeviceError(
            "The HSM accepted the change of permissions, and did not make it.",
            code="NOT_MADE",
            error_class=ErrorClass.OPERATOR,
        )
    return record


def remove_private(run: Run, *, actor: Actor) -> str:
    """Destroy the private half in the device, then mark the virtual key (SOB-28)."""
    key = transitions.find(run.job.subject_id)

    def act(device: ObjectDevice) -> ObjectRecord | None:
        _check_public(device, key)
        device.remove_private(key.cka_id)
        return device.read(KeyFamily(key.family), key.cka_id)

    try:
        left = _on_device(key, run, act)
    except (ChangeFailedError, UnsettledError) as fault:
        _mark(key, fault, Action.OBJECT_PRIVATE_REMOVED, out_of_step=key.out_of_step, actor=actor)
        raise
    with transaction.atomic():
        now = clock.now()
        columns = hsm_columns(left, now) if left else {"missing_since": now}
        transitions.write(key, ACTIVE, private_removed_at=now, problem="", problem_code="", **columns)
        details = {"key id": key.key_id, "fingerprint": key.fingerprint, "HSM": "private key destroyed"}
        log.append(Action.OBJECT_PRIVATE_REMOVED, key.subject, actor=actor, details=details)
    return f"The private key of {key.name} is destroyed. The public key stays."


def destroy(run: Run, *, actor: Actor) -> str:
    """Destroy the key in the device, its public value named, then delete the row (SOB-25, POL-09)."""
    key = SecurityObject.objects.select_related("group").filter(pk=run.job.subject_id).first()
    if key is None:
        return "It is deleted."
    spki_der = bytes(key.spki_der) if key.spki_der else None
    try:
        _on_device(key, run, lambda device: device.remove(KeyFamily(key.family), key.cka_id, spki_der))
    except UnsettledError as fault:
        transitions.write(key, DESTROYING, problem=fault.message, problem_code=fault.code[:60])
        raise
    except ChangeFailedError as fault:
        with transaction.atomic():
            told = {"problem": fault.message, "problem_code": fault.code[:60]}
            transitions.write(key, DESTROYING, state=ObjectState.ACTIVE, **told)
            _log_failure(Action.OBJECT_DELETED, key, fault, actor)
        raise
    with transaction.atomic():
        about = {"group": key.group.title, "key id": key.key_id, "fingerprint": key.fingerprint, "HSM": "destroyed"}
        subject = key.subject
        key.delete()
        read_anew(key.group_id)
        log.append(Action.OBJECT_DELETED, subject, actor=actor, details=about)
    return f"{subject.label} is destroyed, and its security object deleted."


def _on_device(key: SecurityObject, run: Run, act: Callable[[ObjectDevice], _T]) -> _T:
    """Act on the device of a key.

    Raises UnsettledError when the outcome is not known (the job does it again), ChangeFailedError when it certainly
    was not done.
    """
    try:
        with open_group(key.group) as device:
            done = act(device)
            run.result["served by"] = served_by(device)
            return done
    except FAULTS as fault:
        reached_before = run.attempt > 1
        if _is_uncertain(fault) or (reached_before and _may_pass(fault)):
            if clock.now() - run.job.created_at > transitions.GIVE_UP:
                raise _given_up(key, fault) from fault
            raise UnsettledError(
                f"{fault.message} Whether {key.name} was changed in the HSM is not known yet.",
                code=fault.code,
                next_step="The job does it again by itself. " + fault.next_step,
            ) from fault
        raise ChangeFailedError(
            f"{fault.message} The virtual key {key.name} was not changed.", code=fault.code, next_step=fault.next_step
        ) from fault


def _given_up(key: SecurityObject, fault: Fault) -> ChangeFailedError:
    """Return the error that ends the work on a key whose device has been away for too long: the key is free again."""
    return ChangeFailedError(
        f"{fault.message} After {transitions.GIVE_UP.days} days the console has stopped asking. Whether {key.name} was "
        "changed in the HSM is not known; the virtual key was not.",
        code=fault.code,
        next_step="If that device comes back, sync the keys of the group.",
    )


def _is_uncertain(fault: Fault) -> bool:
    """Say whether the device may have done it all the same."""
    if not isinstance(fault, DeviceError):
        return False
    return fault.outcome_unknown or (fault.error_class in AGAIN and fault.code not in NOT_REACHED)


def _may_pass(fault: Fault) -> bool:
    return isinstance(fault, UnavailableError) or getattr(fault, "error_class", None) in AGAIN


def _check_public(device: ObjectDevice, key: SecurityObject) -> None:
    """Raise DeviceError KEY_DIFFERS when another key stands under this CKA_ID."""
    found = device.read(KeyFamily(key.family), key.cka_id)
    if found and found.spki_der and key.spki_der and found.spki_der != bytes(key.spki_der):
        raise DeviceError(
            f"The HSM holds another key under the CKA_ID {key.key_id}.",
            code="KEY_DIFFERS",
            error_class=ErrorClass.CALLER,
            next_step="Sync the keys of the group.",
        )


def _note(key: SecurityObject, record: ObjectRecord | None) -> None:
    if record:
        transitions.write(key, ACTIVE, **hsm_columns(record, clock.now()))


def _differs(key: SecurityObject) -> bool:
    """Say whether the key and its virtual key permit different things, as far as it is known."""
    return key.hsm_operations is not None and key.hsm_operations != key.operations


def _mark(key: SecurityObject, fault: Fault, action: Action, *, out_of_step: bool, actor: Actor) -> None:
    """Say at the key, and once in the log, that a change was not made, or may have been made half (POL-13)."""
    first = key.problem != fault.message
    with transaction.atomic():
        told = {"problem": fault.message, "problem_code": fault.code[:60], "out_of_step": out_of_step}
        transitions.write(key, ACTIVE, **told)
        if first:
            _log_failure(action, key, fault, actor)


def _log_failure(action: Action, key: SecurityObject, fault: Fault, actor: Actor) -> None:
    outcome = Outcome.UNKNOWN if isinstance(fault, UnsettledError) else Outcome.FAILED
    details = {"problem": fault.message, "code": fault.code, "key id": key.key_id}
    log.append(action, key.subject, actor=actor, outcome=outcome, details=details)
