"""The order of a group's connections is their priority (GRP-25)."""

from collections.abc import Callable
from dataclasses import dataclass

from django.db import transaction

from console.activity import log
from console.lib.actor import Actor
from console.lib.errors import NotFoundError
from hsm.actions import Action
from hsm.connections.editing import lock
from hsm.models.groups import Connection


@dataclass(frozen=True)
class Move:
    """An entry of the menu; `target` is the new index, from the old one and the number of connections."""

    slug: str
    label: str
    icon: str
    upwards: bool
    target: Callable[[int, int], int]


MOVES = (
    Move("top", "Move to the top", "arrow-bar-to-up", upwards=True, target=lambda _index, _count: 0),
    Move("up", "Move up", "arrow-up", upwards=True, target=lambda index, _count: max(0, index - 1)),
    Move("down", "Move down", "arrow-down", upwards=False, target=lambda index, count: min(count - 1, index + 1)),
    Move("bottom", "Move to bottom", "arrow-bar-to-down", upwards=False, target=lambda _index, count: count - 1),
)
BY_SLUG = {move.slug: move for move in MOVES}


def move(connection: Connection, how: str, *, actor: Actor) -> int:
    """Move a connection and return its new priority, from 1; raises NotFoundError."""
    if how not in BY_SLUG:
        raise NotFoundError("There is no such move.")
    with transaction.atomic():
        order = list(lock(connection.group).connections.all())
        row = next((one for one in order if one.pk == connection.pk), None)
        if row is None:
            raise NotFoundError("This connection was deleted meanwhile. Nothing was changed.")
        before = order.index(row)
        order.insert(BY_SLUG[how].target(before, len(order)), order.pop(before))
        for position, one in enumerate(order, start=1):
            if one.position != position:
                Connection.objects.filter(pk=one.pk).update(position=position)
        after = order.index(row)
        if after != before:
            details = {"from": before + 1, "to": after + 1, "order": [one.name for one in order]}
            log.append(Action.CONNECTION_MOVED, row.subject, actor=actor, details=details)
    return after + 1
