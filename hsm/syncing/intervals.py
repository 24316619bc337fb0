"""How often a group is synced by itself (AMB-46); never, unless somebody chose an interval."""

from django.db import transaction

from console.activity import log
from console.lib.actor import Actor
from hsm.actions import Action
from hsm.models.groups import Group

INTERVALS = {1: "every hour", 6: "every 6 hours", 12: "every 12 hours", 24: "every day", 168: "every week"}
NEVER = "never"


def words(hours: int | None) -> str:
    """Return an interval in words."""
    return INTERVALS.get(hours, f"every {hours} hours") if hours else NEVER


@transaction.atomic
def choose(group: Group, hours: int | None, *, actor: Actor) -> None:
    """Set or take away a group's interval."""
    Group.objects.filter(pk=group.pk).update(sync_every_h=hours)
    details = {"from": words(group.sync_every_h), "to": words(hours)}
    log.append(Action.SYNC_INTERVAL_CHANGED, group.subject, actor=actor, details=details)
