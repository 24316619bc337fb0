"""Template tags about syncing."""

from typing import Any

from django import template
from django.template import Context

from hsm.models.groups import Group
from hsm.rights import Right, rights
from hsm.syncing.card import SyncCard, card

register = template.Library()


@register.simple_tag(takes_context=True)
def sync_card(context: Context, group: Group) -> SyncCard:
    """Return the Key sync card of a group; a poll passes its own in."""
    made: Any = context.get("sync")
    return made if isinstance(made, SyncCard) else card(group)


@register.simple_tag(takes_context=True)
def may_manage(context: Context, group: Group) -> bool:
    """Say whether the user who asks may change this group."""
    return Right.MANAGE in rights(context["request"].user, group)
