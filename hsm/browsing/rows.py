"""A security object as one line of a table."""

from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

from hsm.device.base import KeySpec
from hsm.models.groups import Group
from hsm.models.objects import ObjectState, SecurityObject
from hsm.objects import offer


@dataclass(frozen=True)
class Badge:
    """A state that stands out: never by its colour alone."""

    kind: str
    icon: str
    text: str


@dataclass(frozen=True)
class Row:
    """What the table shows of an object."""

    object: SecurityObject
    group: Group
    kind: str
    badges: tuple[Badge, ...]


STATES: dict[str, Badge] = {
    ObjectState.REQUESTED: Badge("info", "hourglass", "Requested"),
    ObjectState.CREATING: Badge("info", "hourglass", "Being created"),
    ObjectState.UNKNOWN: Badge("warn", "help-circle", "Outcome unknown"),
    ObjectState.DESTROYING: Badge("warn", "trash", "Being deleted"),
    ObjectState.FAILED: Badge("bad", "alert-circle", "Failed"),
}
ACTIVE = Badge("ok", "check", "Active")


def rows(objects: Iterable[SecurityObject], groups: dict[UUID, Group]) -> list[Row]:
    """Return the lines; `groups` holds the group of each object."""
    return [Row(one, groups[one.group_id], kind_of(one), badges(one)) for one in objects]


def kind_of(obj: SecurityObject) -> str:
    """Return type and size, such as `EC P-256`."""
    if obj.spec:
        return offer.words(KeySpec(obj.spec))
    return f"{obj.key_type} {obj.bits} bits" if obj.bits else obj.key_type


def badges(obj: SecurityObject) -> tuple[Badge, ...]:
    """Return every state of the object that its reader must know; at least one."""
    marks = (
        (obj.missing_since, Badge("warn", "alert-triangle", "Missing in HSM")),
        (obj.out_of_step, Badge("warn", "arrows-exchange", "Out of step")),
        (obj.deactivated_at, Badge("", "ban", "Deactivated")),
        (obj.rotated_at, Badge("info", "rotate-clockwise", "Rotated")),
        (obj.private_removed_at, Badge("", "key-off", "No private part")),
    )
    told = tuple(badge for holds, badge in marks if holds)
    if state := STATES.get(obj.state):
        return (state, *told)
    return told or (ACTIVE,)
