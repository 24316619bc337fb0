"""Template tags of Use key, so that the page of a key needs to know nothing about it."""

from django import template
from django.template import Context

from hsm.models.objects import SecurityObject
from hsm.use import offers

register = template.Library()


@register.simple_tag
def use_offers(key: SecurityObject) -> list[offers.Offer]:
    """Return what this kind of key can do, and what of it is refused now."""
    return offers.offers(key)


@register.simple_tag(takes_context=True)
def may_use(context: Context, key: SecurityObject) -> bool:
    """Return whether the signed-in user may use the key."""
    return offers.may_use(context["request"].user, key)
