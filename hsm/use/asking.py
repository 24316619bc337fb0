"""Ask for a use of a key. The worker does it (`hsm.use.using`); the data are sealed for it in this request."""

import uuid
from dataclasses import dataclass, field
from datetime import timedelta

from django.db import transaction

from console.activity import log
from console.activity.models import Outcome
from console.jobs import kinds, queue
from console.lib import clock
from console.lib.actor import Actor
from console.lib.errors import InvalidError, RefusedError
from console.lib.secret import Secret
from console.servers.current import sealing_public
from hsm.actions import Action
from hsm.device.base import KeySpec
from hsm.device.objects import Operation
from hsm.models.objects import KeyUse, SecurityObject
from hsm.use import enclosure
from hsm.use.deciding import decide
from hsm.use.schemes import Scheme, bounds, schemes

JOB_KIND = "hsm.use-key"
KEPT = timedelta(minutes=10)


@dataclass(frozen=True)
class Wanted:
    """What a user wants of a key. `signature` belongs to a verification."""

    operation: Operation
    scheme: str
    data: bytes = field(repr=False)
    signature: bytes = field(default=b"", repr=False)


def request(key: SecurityObject, wanted: Wanted, *, actor: Actor) -> tuple[KeyUse, Secret]:
    """Queue the use of a key; return its row and the key that opens the answer, which is kept nowhere else.

    Raises RefusedError where `decide` does, InvalidError for data that the scheme cannot take.
    """
    try:
        decide(key, wanted.operation)
    except RefusedError as error:
        details = {"operation": wanted.operation, "scheme": wanted.scheme, "reason": error.message, "code": error.code}
        log.refuse(Action.KEY_USED, key.subject, actor=actor, details=details)
        raise
    check(key, wanted)
    return _write(key, wanted, actor)


def check(key: SecurityObject, wanted: Wanted) -> Scheme:
    """Return the scheme; raises InvalidError when the key has no such scheme, or the data do not fit it."""
    offered = schemes(KeySpec(key.spec), wanted.operation) if key.spec else ()
    scheme = next((scheme for scheme in offered if scheme.value == wanted.scheme), None)
    if scheme is None:
        raise InvalidError("The key has no such scheme. Nothing was done.", field="scheme")
    limits, length = bounds(KeySpec(key.spec), wanted.operation, scheme), len(wanted.data)
    if not limits.least <= length <= limits.most:
        raise InvalidError(_misfit(wanted.operation, scheme, limits.least, limits.most, length), field="content")
    if wanted.operation is Operation.VERIFY and not wanted.signature:
        raise InvalidError("Give the signature that is to be verified.", field="signature")
    return scheme


def _misfit(operation: Operation, scheme: Scheme, least: int, most: int, length: int) -> str:
    if least == most:
        return f"{scheme.label} decrypts exactly {most:,} bytes with this key; these are {length:,}."
    if length < least:
        return "There are no data." if least == 1 else f"What {scheme.label} encrypted has at least {least} bytes."
    return f"At most {most:,} bytes for {operation} by {scheme.label} with this key; these are {length:,}."


@transaction.atomic
def _write(key: SecurityObject, wanted: Wanted, actor: Actor) -> tuple[KeyUse, Secret]:
    use_id, answer_key, now = uuid.uuid4(), enclosure.new_key(), clock.now()
    question = enclosure.Question(answer_key.reveal_bytes(), wanted.data, wanted.signature)
    job = queue.enqueue(kinds.get(JOB_KIND), subject=key.subject, actor=actor, params={"use": str(use_id)})
    use = KeyUse.objects.create(
        id=use_id,
        object=key,
        job=job,
        operation=wanted.operation,
        scheme=wanted.scheme,
        sealed_input=sealing_public().seal(enclosure.pack(question), purpose=enclosure.PURPOSE, row_id=str(use_id)),
        created_at=now,
        expires_at=now + KEPT,
    )
    details = {"operation": wanted.operation, "scheme": wanted.scheme, "job": str(job.pk)}
    log.append(Action.KEY_USE_REQUESTED, key.subject, actor=actor, outcome=Outcome.REQUESTED, details=details)
    return use, answer_key


def forget(job_id: uuid.UUID) -> None:
    """Erase the question of a job that will not do it."""
    KeyUse.objects.filter(job_id=job_id).update(sealed_input=None)


def delete_expired() -> int:
    """Delete the uses whose time is over, with question and answer; return how many."""
    return KeyUse.objects.filter(expires_at__lte=clock.now()).delete()[0]
