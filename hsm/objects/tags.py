"""Custom attributes of a key (SOB-07)."""

from django.db import transaction

from console.activity import log
from console.lib.actor import Actor
from console.lib.errors import ConflictError, InvalidError
from hsm.actions import Action
from hsm.models.objects import ObjectTag, SecurityObject

MOST = 50


@transaction.atomic
def put(key: SecurityObject, name: str, value: str, *, actor: Actor) -> None:
    """Set one attribute; raises InvalidError without a name, or with too many of them."""
    name = name.strip()
    if not name:
        raise InvalidError("Enter a name.", field="name")
    SecurityObject.objects.select_for_update().get(pk=key.pk)  # so that two at once do not both find room
    others = ObjectTag.objects.filter(object=key).exclude(name=name)
    if others.count() >= MOST:
        raise InvalidError(f"A key has at most {MOST} custom attributes. Nothing was changed.", field="name")
    ObjectTag.objects.update_or_create(object=key, name=name, defaults={"value": value})
    log.append(Action.OBJECT_TAGGED, key.subject, actor=actor, details={"name": name, "value": value})


@transaction.atomic
def remove(key: SecurityObject, tag_id: int, *, actor: Actor) -> None:
    """Remove one attribute; raises ConflictError when it is gone."""
    tag = ObjectTag.objects.filter(object=key, pk=tag_id).first()
    if tag is None:
        raise ConflictError("This attribute was removed already. Nothing was changed.")
    tag.delete()
    log.append(Action.OBJECT_UNTAGGED, key.subject, actor=actor, details={"name": tag.name, "value": tag.value})
