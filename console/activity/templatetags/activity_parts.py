"""Template tags of the activity log."""

from django import template

from console import links
from console.activity.labels import label
from console.activity.models import Entry, Outcome

register = template.Library()

LOOKS = {
    Outcome.REQUESTED: "mute",
    Outcome.SUCCEEDED: "ok",
    Outcome.REFUSED: "warn",
    Outcome.FAILED: "bad",
    Outcome.UNKNOWN: "warn",
}
ICONS = {Outcome.REQUESTED: "send", Outcome.REFUSED: "ban"}


@register.filter
def action_label(action: str) -> str:
    """Return what an action is called."""
    return label(action)


@register.filter
def outcome_look(outcome: str) -> str:
    """Return the kind of mark for an outcome."""
    return LOOKS.get(Outcome(outcome), "mute") if outcome in Outcome.values else "mute"


@register.filter
def outcome_icon(outcome: str) -> str:
    """Return the icon for an outcome, empty where the mark has one of its own."""
    return ICONS.get(Outcome(outcome), "") if outcome in Outcome.values else ""


@register.filter
def outcome_label(outcome: str) -> str:
    """Return the outcome in words."""
    return Outcome(outcome).label if outcome in Outcome.values else outcome


@register.simple_tag
def subject_page(entry: Entry) -> str | None:
    """Return the page of what the entry is about, or None when it has none."""
    return links.link(entry.subject_kind, entry.subject_id)
