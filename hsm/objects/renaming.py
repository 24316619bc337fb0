"""What happens to a key when its successor is there (AMB-21)."""

from console.activity import log
from console.lib import clock
from console.lib.actor import Actor
from hsm.actions import Action
from hsm.models.objects import NAME_LENGTH, SecurityObject


def rotated_name(name: str, day: str) -> str:
    """Return the name of a rotated key, no longer than names are."""
    mark = f" (rotated {day})"
    return name[: NAME_LENGTH - len(mark)] + mark


def take_over(successor: SecurityObject, *, actor: Actor) -> None:
    """Mark the predecessor as rotated and rename it, inside the transaction that makes the successor active."""
    old = SecurityObject.objects.filter(successor=successor, rotated_at=None).first()
    if old is None:
        return
    now = clock.now()
    before = old.subject
    SecurityObject.objects.filter(pk=old.pk).update(rotated_at=now, name=rotated_name(old.name, f"{now:%Y-%m-%d}"))
    details = {"successor": str(successor.pk), "key id of the successor": successor.key_id}
    log.append(Action.OBJECT_ROTATED, before, actor=actor, details=details)
