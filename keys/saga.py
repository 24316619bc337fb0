"""Make a key pair on a device that cannot roll back (docs/design.md §4).

The row, with its CKA_ID and its place, is committed before the device is called. Whoever works on it takes the next
attempt number, and every outcome is a conditional UPDATE under that number: an attempt that was given up writes
nothing any more. What an error leaves behind is decided here, once, for every kind of key.
"""

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from datetime import timedelta
from typing import Any

from django.db import transaction

from console.jobs.running import may_pass
from console.lib import clock
from console.lib.errors import ConsoleError
from hsm.device.base import Device, KeySpec
from hsm.device.errors import DeviceError, KeyExistsError
from hsm.errors import BindingForgottenError
from keys import stores
from keys.errors import CreationFailedError, FencedError, UnsettledError, WaitingError
from keys.models.keypair import KeyPair, spki_fields

CREATING, UNKNOWN, FAILED = "creating", "unknown", "failed"
# A token that was cut off in the middle might still finish a key that was not there at the first look.
SECOND_LOOK = timedelta(minutes=15)
# A token that does not come back in this time is taken for lost, so that work on it ends by itself.
GIVE_UP = timedelta(days=30)

Fault = ConsoleError | DeviceError
FAULTS = (ConsoleError, DeviceError)


# Records, in the transaction of the change, that the making of a row failed or is in doubt (row, outcome, fault).
Record = Callable[[Any, str, Fault], None]


def take(row: KeyPair, from_states: Sequence[str], **columns: Any) -> None:
    """Begin the next attempt at a row; raises FencedError when somebody else has it or it is settled."""
    write(row, from_states, attempt=row.attempt + 1, **columns)


def write(row: KeyPair, from_states: Sequence[str], **columns: Any) -> None:
    """Change a row that is still in this attempt's hands; raises FencedError when it is not."""
    rows: Any = type(row)._base_manager  # each kind of key has states of its own
    mine = rows.filter(pk=row.pk, attempt=row.attempt, state__in=from_states)
    if not mine.update(**columns):
        raise FencedError(f"Another attempt has taken over {row.name}. This one changed nothing.")
    row.refresh_from_db()


def make(row: KeyPair, spec: KeySpec, finish: Callable[[Device], None], record: Record, *, fresh: bool) -> None:
    """Make the key of a placed row and let `finish` certify and activate it.

    `fresh`: no device was called for this row before; otherwise the key is looked for first, never made twice. Raises
    CreationFailedError (the row is failed, nothing is left behind) or UnsettledError (it is unknown; call again).
    """
    with ExitStack() as stack:
        try:
            device = stack.enter_context(stores.open_device(row))
        except BindingForgottenError as fault:
            # Given up by an administrator: nobody can look any more, and the row must not wait for it for ever.
            raise fail(row, fault, record) from fault
        except FAULTS as fault:
            raise (fail if fresh else doubt)(row, fault, record) from fault
        spki_der = _obtain(device, row, spec, record, fresh=fresh)
        try:
            write(row, (CREATING, UNKNOWN), **spki_fields(spki_der))
            finish(device)
        except FencedError:
            raise
        except FAULTS as fault:
            if may_pass(fault):
                raise doubt(row, fault, record) from fault
            _discard(device, row, record)
            raise fail(row, fault, record) from fault


def _obtain(device: Device, row: KeyPair, spec: KeySpec, record: Record, *, fresh: bool) -> bytes:
    if not fresh and (found := _look(device, row, record)):
        return found
    try:
        return device.generate_key_pair(row.cka_id, spec, row.name)
    except KeyExistsError as fault:
        # Only another attempt can have used 16 random bytes: leave what is there to it.
        raise doubt(row, fault, record) from fault
    except DeviceError as fault:
        if fault.outcome_unknown:
            raise doubt(row, fault, record) from fault
        if row.on_token:  # a module may report an error for a key that it made; pki.db is one transaction
            _discard(device, row, record)
        raise fail(row, fault, record) from fault


def _look(device: Device, row: KeyPair, record: Record) -> bytes | None:
    """Return the public key of what an earlier attempt made; None when it is safe to make it now."""
    try:
        found = device.find(row.cka_id)
    except DeviceError as fault:
        raise doubt(row, fault, record) from fault
    if found and found.has_private and found.spki_der:
        return found.spki_der
    if found:
        _discard(device, row, record)
    elif not row.on_token:
        return None  # pki.db is a file: a call to it does not outlive the process that made it
    cut_short = ConsoleError(
        f"The device was interrupted before the key of {row.name} was whole. Nothing is left of it.",
        next_step="Start again when the device works.",
    )
    raise fail(row, cut_short, record, look_after=clock.now() + SECOND_LOOK if row.on_token else None)


def _discard(device: Device, row: KeyPair, record: Record) -> None:
    """Destroy whatever stands under the row's id; where that fails the row stays in doubt."""
    try:
        device.destroy(row.cka_id)
    except DeviceError as fault:
        raise doubt(row, fault, record) from fault


def later(fault: Fault, what: str) -> WaitingError:
    """Return the error that has a job try again, whatever kept it: the work must be done once the device is back."""
    return WaitingError(f"{fault.message} {what}", code=fault.code, next_step=fault.next_step)


def fail(row: KeyPair, fault: Fault, record: Record, **columns: Any) -> CreationFailedError:
    """Settle a row as failed and return the error to raise."""
    with transaction.atomic():
        # Nothing exists under a failed row: its public half, if there ever was one, must not stand in the way.
        write(
            row,
            (CREATING, UNKNOWN, "requested"),
            state=FAILED,
            fingerprint=None,
            problem=fault.message,
            problem_code=fault.code,
            **{"look_after": None, **columns},
        )
        record(row, FAILED, fault)
    return CreationFailedError(fault.message, code=fault.code, next_step=fault.next_step)


def given_up(row: KeyPair, fault: Fault, record: Record) -> CreationFailedError:
    """Settle a row whose device has been away for too long, and say what may be left; return the error to raise."""
    lost = ConsoleError(
        f"{fault.message} After {GIVE_UP.days} days the console has stopped looking for the key of {row.name}.",
        code=fault.code,
        next_step=f"If that device comes back, destroy the object with the CKA_ID {row.cka_id.hex()} on it.",
    )
    return fail(row, lost, record)


def doubt(row: KeyPair, fault: Fault, record: Record) -> UnsettledError:
    """Mark a row as unknown and return the error to raise; the entry is written once."""
    first = getattr(row, "state", "") != UNKNOWN
    with transaction.atomic():
        write(row, (CREATING, UNKNOWN), state=UNKNOWN, problem=fault.message, problem_code=fault.code)
        if first:
            record(row, UNKNOWN, fault)
    return UnsettledError(
        f"{fault.message} Whether the key of {row.name} was made is not known yet.",
        code=fault.code,
        next_step="The console looks for it on the device and then finishes it or cleans up. " + fault.next_step,
    )
