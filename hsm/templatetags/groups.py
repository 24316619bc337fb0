"""Template tags of group pages."""

from django import template
from django.template import Context

from hsm.connections import slots
from hsm.groups import overview
from hsm.models.groups import Group

register = template.Library()


@register.simple_tag(takes_context=True)
def group_frame(context: Context, group: Group) -> overview.Frame:
    """Return the badge and the tabs around a group's page."""
    return overview.frame(group, context["request"].user)


@register.filter
def slot(number: str) -> str:
    """Show a slot number in both ways of writing it."""
    return slots.shown(number)
