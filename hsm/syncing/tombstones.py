"""Virtual keys that were deleted while their keys stay in the HSM: a sync does not bring them back by itself."""

from collections.abc import Iterable

from django.db import transaction

from console.activity import log
from console.lib import clock
from console.lib.actor import Actor
from hsm.actions import Action
from hsm.models.groups import Group
from hsm.models.objects import SecurityObject, Tombstone
from hsm.syncing.anew import read_anew


@transaction.atomic
def bury(obj: SecurityObject, *, token_label: str, token_serial: str, actor: Actor) -> Tombstone:
    """Remember that this virtual key was deleted; the caller deletes it in the same transaction.

    An empty serial stands for whichever token the group reaches.
    """
    grave, _ = Tombstone.objects.update_or_create(
        group=obj.group,
        token_serial=token_serial,
        family=obj.family,
        key_id=obj.key_id,
        defaults={
            "token_label": token_label,
            "name": obj.name,
            "fingerprint": obj.fingerprint,
            "origin": obj.origin,
            "deleted_at": clock.now(),
            "deleted_by": actor.name,
            "wanted_at": None,
            "wanted_by": "",
        },
    )
    read_anew(obj.group_id)
    return grave


@transaction.atomic
def import_again(group: Group, graves: Iterable[Tombstone], *, actor: Actor) -> int:
    """Have the next sync import the keys of these tombstones, whatever the Key Scan says; return how many are new."""
    now = clock.now()
    wanted = Tombstone.objects.filter(group=group, pk__in=[grave.pk for grave in graves], wanted_at__isnull=True)
    names = list(wanted.values_list("name", flat=True)[:10])
    number = wanted.update(wanted_at=now, wanted_by=actor.name)
    if number:
        read_anew(group.pk)
        log.append(Action.WANTED_AGAIN, group.subject, actor=actor, details={"number": number, "names": names})
    return number
