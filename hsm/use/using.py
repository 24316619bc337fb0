"""Use a key. Worker only: the question is opened here, and the device is called."""

import hashlib

from django.db import transaction

from console.activity import log
from console.activity.models import Outcome
from console.jobs.running import Run
from console.lib import clock
from console.lib.actor import Actor
from console.lib.errors import ConsoleError, RefusedError
from console.lib.opening import worker_pair
from hsm.actions import Action
from hsm.connections.opening import open_group, served_by
from hsm.device.errors import DeviceError
from hsm.device.objects import CipherScheme, KeyFamily, ObjectDevice, Operation
from hsm.models.objects import KeyUse, SecurityObject
from hsm.use import asking, enclosure
from hsm.use.asking import Wanted
from hsm.use.deciding import decide
from hsm.use.enclosure import Answer, Question

GONE = "The use of the key was asked for more than ten minutes ago, and is not done any more."


def use(use_id: str, run: Run) -> str:
    """Do what the row asks for and enclose the answer for whoever asked; return what may be said of it.

    Whatever the end, the question is erased. Raises RefusedError and DeviceError with nothing answered.
    """
    row = KeyUse.objects.filter(pk=use_id, expires_at__gt=clock.now()).exclude(sealed_input=None).first()
    if row is None or row.sealed_input is None:
        raise RefusedError(GONE, next_step="Ask again on the page of the key.")
    try:
        question = enclosure.unpack(
            worker_pair().open(bytes(row.sealed_input), purpose=enclosure.PURPOSE, row_id=str(row.pk))
        )
        answer, through = _answer(row, question)
    except (ConsoleError, DeviceError) as error:
        _record(row, _outcome(error), actor=run.actor, code=error.code, reason=error.message)
        raise
    finally:
        asking.forget(row.job_id)
    run.result["served_by"] = through
    enclosed = enclosure.enclose(answer, question.answer_key, row_id=str(row.pk))
    with transaction.atomic():
        KeyUse.objects.filter(pk=row.pk).update(enclosed_output=enclosed)
        _record(row, Outcome.SUCCEEDED, actor=run.actor, through=through)
    return f"Done through {through}."


def _answer(row: KeyUse, question: Question) -> tuple[Answer, str]:
    """Call the device; return the answer and which connection served."""
    with open_group(row.object.group) as device:
        # Marks may have been set while the job waited, or while the device was being opened.
        key = SecurityObject.objects.select_related("group").filter(pk=row.object_id).first()
        if key is None:
            raise RefusedError("The key was deleted meanwhile. Nothing was done.", next_step="Use another key.")
        wanted = Wanted(Operation(row.operation), row.scheme, question.data, question.signature)
        decide(key, wanted.operation)
        return perform(device, key, wanted), served_by(device)


def perform(device: ObjectDevice, key: SecurityObject, wanted: Wanted) -> Answer:
    """Do one operation on an open device. Asks no rule: `decide` was asked right before."""
    family, key_id = KeyFamily(key.family), key.cka_id
    hash_name = asking.check(key, wanted).hash_name
    message = hashlib.new(hash_name, wanted.data).digest() if hash_name else wanted.data
    match wanted.operation:
        case Operation.SIGN:
            return Answer(device.sign_data(family, key_id, message, wanted.scheme))
        case Operation.VERIFY:
            return Answer(valid=device.verify_data(family, key_id, message, wanted.signature, wanted.scheme))
        case Operation.ENCRYPT:
            return Answer(device.encrypt(family, key_id, message, CipherScheme(wanted.scheme)))
        case Operation.DECRYPT:
            return Answer(device.decrypt(family, key_id, message, CipherScheme(wanted.scheme)))
        case other:
            raise RefusedError(f"A key is not used to {other} from its page. Nothing was done.")


def _outcome(error: ConsoleError | DeviceError) -> Outcome:
    if isinstance(error, RefusedError):
        return Outcome.REFUSED
    return Outcome.UNKNOWN if getattr(error, "outcome_unknown", False) else Outcome.FAILED


def _record(row: KeyUse, outcome: Outcome, *, actor: Actor, **details: str) -> None:
    told = {"operation": row.operation, "scheme": row.scheme, "job": str(row.job_id), **details}
    with transaction.atomic():
        log.append(Action.KEY_USED, row.object.subject, actor=actor, outcome=outcome, details=told)
