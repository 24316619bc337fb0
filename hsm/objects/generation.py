"""Ask for a new key. The worker makes it (`making`)."""

import secrets
from dataclasses import dataclass
from typing import Any

from django.db import transaction

from console.jobs.kinds import JobKind
from console.jobs.models import Job
from console.lib import clock
from console.lib.actor import Actor
from console.lib.errors import InvalidError, NotFoundError
from hsm.actions import Action
from hsm.device.base import KeySpec
from hsm.device.objects import Operation, family_of, operations_of
from hsm.jobs import GENERATE_OBJECT
from hsm.models.groups import Group
from hsm.models.objects import NAME_LENGTH, ObjectState, Origin, SecurityObject
from hsm.objects import asking, offer
from hsm.objects.record import values

KEY_ID_BYTES = 16


@dataclass(frozen=True)
class Wanted:
    """A key as it is asked for; the name becomes its CKA_LABEL too (POL-06)."""

    name: str
    spec: KeySpec
    operations: frozenset[Operation]


@transaction.atomic
def request(group: Group, wanted: Wanted, *, actor: Actor) -> tuple[SecurityObject, Job]:
    """Write the intention to make a key, and queue the work; raises InvalidError with the field that is wrong."""
    key = intend(group, wanted, Origin.GENERATED, actor=actor)
    return key, enqueue(GENERATE_OBJECT, key, actor=actor, params={})


def intend(
    group: Group, wanted: Wanted, origin: Origin, *, actor: Actor, beside: SecurityObject | None = None
) -> SecurityObject:
    """Write the row of a key that does not exist yet, inside the caller's transaction; raises InvalidError.

    `beside` is the key whose name it takes over.
    """
    # Locked, so that two forms at once do not both find the name free.
    locked = Group.objects.select_for_update(of=("self",)).select_related("server")
    home = locked.filter(pk=group.pk, deleted_at=None).first()
    if home is None:
        raise NotFoundError("The group was deleted meanwhile. Nothing was changed.")
    _check(home, wanted, beside)
    return SecurityObject.objects.create(group=home, **_columns(wanted, origin, actor))


def enqueue(kind: JobKind, key: SecurityObject, *, actor: Actor, params: dict[str, Any]) -> Job:
    """Queue the making of a key, with its entry."""
    action = Action.OBJECT_IMPORT_REQUESTED if key.origin == Origin.IMPORTED else Action.OBJECT_GENERATE_REQUESTED
    details = {"kind of key": key.spec, "operations": key.operations}
    return asking.enqueue(kind, key, action, actor=actor, params=params, **details)


def _check(group: Group, wanted: Wanted, beside: SecurityObject | None) -> None:
    if not wanted.name.strip():
        raise InvalidError("Enter a name.", field="name")
    if len(wanted.name) > NAME_LENGTH:
        raise InvalidError(f"A name has at most {NAME_LENGTH} characters.", field="name")
    living = SecurityObject.objects.filter(group=group, name=wanted.name).exclude(state=ObjectState.FAILED)
    if not beside and living.exists():
        raise InvalidError(
            f"“{group.title}” has a key of this name. Labels should tell keys apart.", field="name", code="name-taken"
        )
    if not wanted.operations:
        raise InvalidError("Choose at least one operation.", field="operations")
    surplus = values(wanted.operations - operations_of(wanted.spec))
    if surplus:
        raise InvalidError(f"A key {offer.words(wanted.spec)} cannot {' or '.join(surplus)}.", field="operations")


def _columns(wanted: Wanted, origin: Origin, actor: Actor) -> dict[str, Any]:
    return {
        "name": wanted.name,
        "label": wanted.name,
        "family": str(family_of(wanted.spec)),
        "spec": str(wanted.spec),
        "key_type": offer.type_of(wanted.spec).ckk,
        "bits": wanted.spec.bits,
        "key_id": secrets.token_bytes(KEY_ID_BYTES).hex(),
        "operations": values(wanted.operations),
        "origin": origin,
        "state": ObjectState.REQUESTED,
        "created_at": clock.now(),
        "created_by": actor.name,
    }
