"""Make or import a key on a device that cannot roll back (docs/design.md §4). Worker only.

The row with its CKA_ID is committed before the device is called. Only the first attempt asks for a key; every later
one looks for it. The exception is pki.db, a file, whose calls do not outlive the process that made them.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from uuid import UUID

from django.db import transaction

from console.activity.models import Outcome
from console.lib import clock
from console.lib.actor import Actor
from console.lib.errors import ConsoleError
from hsm.connections.opening import open_group, served_by
from hsm.device.base import KeySpec
from hsm.device.errors import DeviceError, KeyExistsError, PinError
from hsm.device.objects import KeyFamily, ObjectDevice, ObjectRecord
from hsm.models.objects import UNSETTLED, ObjectState, Origin, SecurityObject
from hsm.objects import material, renaming, sealed, transitions
from hsm.objects.errors import FencedError, MakingFailedError, UnsettledError
from hsm.objects.record import hsm_columns, operations, public_columns, values
from hsm.objects.transitions import FAULTS, Fault

# A token that was cut off in the middle might still finish a key that was not there at the first look.
SECOND_LOOK = timedelta(minutes=15)
SETTLED = (MakingFailedError, UnsettledError, FencedError)

Call = Callable[[ObjectDevice], ObjectRecord]


@dataclass(frozen=True)
class Made:
    """The key as it is now, and what served the last call; empty when no device was asked."""

    key: SecurityObject
    served_by: str


def make(object_id: UUID | str, *, actor: Actor) -> Made:
    """Bring a key to active from wherever an earlier attempt left it; a settled one is returned as it is.

    Raises MakingFailedError (the row is failed, nothing is left behind), UnsettledError (it is unknown: call again
    when no call of this one can be running any more), FencedError.
    """
    return _Attempt(object_id, actor).run()


class _Attempt:
    def __init__(self, object_id: UUID | str, actor: Actor) -> None:
        self.key = transitions.find(object_id)
        self.actor = actor
        self.fresh = self.key.state == ObjectState.REQUESTED

    def run(self) -> Made:
        if self.key.state not in UNSETTLED:
            return Made(self.key, "")
        transitions.take(self.key, (self.key.state,), **({"state": ObjectState.CREATING} if self.fresh else {}))
        call = self._prepare() if self.fresh else None
        try:
            with open_group(self.key.group) as device:
                record = self._ask(device, call) if call else self._look(device)
                served = served_by(device)
        except SETTLED:
            raise
        except FAULTS as fault:  # the device was not reached
            if self.fresh:
                raise self._fail(fault) from fault
            raise self._doubt(fault) from fault
        self._activate(record)
        return Made(self.key, served)

    def _prepare(self) -> Call:
        key, spec = self.key, KeySpec(self.key.spec)
        wanted = (key.cka_id, spec, key.label, operations(key))
        if key.origin != Origin.IMPORTED:
            return lambda device: device.generate(*wanted)
        try:
            read = material.read(spec, **sealed.opened(key))
            self._check_new(read)
        except ConsoleError as fault:
            raise self._fail(fault) from None  # the cause may hold the material
        # Known before the device is asked: what is found later under this CKA_ID is compared with it.
        transitions.write(key, UNSETTLED, **public_columns(read.spki_der))
        return partial(lambda device, secret: device.import_key(*wanted, secret), secret=read.secret)

    def _check_new(self, read: material.Material) -> None:
        mine = public_columns(read.spki_der)["fingerprint"]
        there = SecurityObject.objects.filter(group=self.key.group, fingerprint=mine, missing_since=None)
        twin = there.exclude(pk=self.key.pk).first() if mine else None
        if twin:
            raise material.refuse(
                f"This key is in the group already: {twin.name}.", "already-here", "Use that key, or another group."
            )

    def _ask(self, device: ObjectDevice, call: Call) -> ObjectRecord:
        try:
            return call(device)
        except KeyExistsError as fault:
            # Only this intent can have used its 16 random bytes: a later attempt looks at what is there.
            raise self._doubt(fault) from None
        except DeviceError as fault:
            if fault.outcome_unknown:
                raise self._doubt(fault) from None
            if fault.code == "NO_CONNECTION":
                raise
            # A module may report an error for a key that it made; our own codes are of calls that never reached it.
            if self.key.group.is_hsm and fault.code.startswith("CKR_") and not isinstance(fault, PinError):
                self._discard(device)
            raise self._fail(fault) from None

    def _look(self, device: ObjectDevice) -> ObjectRecord:
        """Return what an earlier attempt made, or make it where that is safe."""
        key = self.key
        try:
            found = device.read(KeyFamily(key.family), key.cka_id)
        except DeviceError as fault:
            raise self._doubt(fault) from fault
        if found and not self._is_mine(found):
            raise self._fail(_other_key(key))
        if found and _is_whole(found):
            return found
        if found:
            self._discard(device)
        elif not key.group.is_hsm and key.origin != Origin.IMPORTED:
            return self._ask(device, self._prepare())
        late = clock.now() + SECOND_LOOK if key.group.is_hsm else None
        raise transitions.fail(key, _cut_short(key), actor=self.actor, look_after=late)

    def _is_mine(self, found: ObjectRecord) -> bool:
        """Say whether what stands under the CKA_ID can be what this row asked for."""
        spki = self.key.spki_der
        same_public = not spki or found.spki_der is None or bytes(spki) == found.spki_der
        return found.spec in (None, KeySpec(self.key.spec)) and same_public

    def _discard(self, device: ObjectDevice) -> None:
        """Remove whatever stands under the row's id; where that fails the row stays in doubt."""
        family = KeyFamily(self.key.family)
        try:
            found = device.read(family, self.key.cka_id)
            if found:
                device.remove(family, self.key.cka_id, found.spki_der)
        except DeviceError as fault:
            raise self._doubt(fault) from fault

    @transaction.atomic
    def _activate(self, record: ObjectRecord) -> None:
        asked = values(operations(self.key))
        said = hsm_columns(record, clock.now())
        differs = said["hsm_operations"] != asked
        transitions.write(
            self.key,
            UNSETTLED,
            state=ObjectState.ACTIVE,
            problem="The device made the key with other permissions than it was asked for." if differs else "",
            problem_code="",
            out_of_step=differs,
            look_after=None,
            **public_columns(record.spki_der),
            **said,
        )
        renaming.take_over(self.key, actor=self.actor)
        transitions.record(self.key, Outcome.SUCCEEDED, None, actor=self.actor)

    def _fail(self, fault: Fault) -> MakingFailedError:
        return transitions.fail(self.key, fault, actor=self.actor)

    def _doubt(self, fault: Fault) -> MakingFailedError | UnsettledError:
        if transitions.is_too_old(self.key):
            return transitions.given_up(self.key, fault, actor=self.actor)
        return transitions.doubt(self.key, fault, actor=self.actor)


def _is_whole(found: ObjectRecord) -> bool:
    if found.family is KeyFamily.SECRET_KEY:
        return found.has_private
    return found.has_private and found.has_public and found.spki_der is not None


def _cut_short(key: SecurityObject) -> ConsoleError:
    return ConsoleError(
        f"The device was interrupted before the key {key.name} was whole. Nothing is left of it.",
        code="INTERRUPTED",
        next_step="Start again when the device works.",
    )


def _other_key(key: SecurityObject) -> ConsoleError:
    return ConsoleError(
        f"The device holds another key under the CKA_ID {key.key_id}. It was left alone; {key.name} was not made.",
        code="KEY_DIFFERS",
        next_step="Start again: each new key has a CKA_ID of its own.",
    )


def outcome(key: SecurityObject, what: str) -> str:
    """Return what became of a key, for the job's message; raises MakingFailedError for a failed one."""
    if key.state == ObjectState.FAILED:
        raise MakingFailedError(key.problem, code=key.problem_code, next_step="Start again.")
    return f"{key.name} {what}."
