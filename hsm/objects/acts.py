"""What may be done with a key from its page, in which words, and why something cannot be done now."""

from collections.abc import Callable
from dataclasses import dataclass

from django.urls import reverse

from hsm.models.objects import ObjectState, SecurityObject
from hsm.objects import removal, rotation
from hsm.objects.policy import Change, effect


@dataclass(frozen=True)
class Act:
    """One button: what it does under the policy of now, and, when it cannot be done, why."""

    name: str
    label: str
    icon: str
    url: str
    effect: str
    obstacle: str
    danger: bool = False


@dataclass(frozen=True)
class _Kind:
    change: Change
    view: str
    label: str
    icon: str
    obstacle: Callable[[SecurityObject], str]
    danger: bool = False


KINDS = (
    _Kind(Change.PERMISSIONS, "permissions", "CHANGE PERMISSIONS", "adjustments", lambda _key: ""),
    _Kind(Change.ROTATE, "rotate", "ROTATE KEY", "rotate-clockwise", rotation.obstacle),
    _Kind(
        Change.REMOVE_PRIVATE, "remove-private", "REMOVE PRIVATE KEY", "key-off", removal.private_obstacle, danger=True
    ),
    _Kind(Change.DELETE, "delete", "DELETE SECURITY OBJECT", "trash", removal.delete_obstacle, danger=True),
)
DEACTIVATE = _Kind(Change.DEACTIVATE, "deactivate", "DEACTIVATE", "ban", lambda _key: "")
ACTIVATE = _Kind(Change.DEACTIVATE, "activate", "ACTIVATE", "check", lambda _key: "")
ACTIVATE_EFFECT = "The key may be used again as its permissions say. The key in the HSM was not changed meanwhile."


def acts(key: SecurityObject) -> list[Act]:
    """Return the buttons of a key that is there, while no job changes it; a failed one can only be deleted."""
    if key.state == ObjectState.FAILED:
        return [_act(KINDS[-1], key, said="Only the record of the key is deleted: no key was made.")]
    toggle = ACTIVATE if key.deactivated_at else DEACTIVATE
    first, *rest = KINDS
    return [_act(kind, key) for kind in (first, toggle, *rest)]


def _act(kind: _Kind, key: SecurityObject, *, said: str = "") -> Act:
    obstacle = kind.obstacle(key)
    if not obstacle and key.state not in (ObjectState.ACTIVE, ObjectState.FAILED):
        obstacle = "The key is not settled yet."
    return Act(
        name=kind.view,
        label=kind.label,
        icon=kind.icon,
        url=reverse(f"hsm:object-{kind.view}", args=[key.pk]),
        effect=said or (ACTIVATE_EFFECT if kind is ACTIVATE else effect(key.group, kind.change)),
        obstacle=obstacle,
        danger=kind.danger,
    )
