"""Template tags of the job pages."""

from typing import Any

from django import template
from django.template import Context

from console import links
from console.jobs.card import Card, card
from console.jobs.models import Job
from console.lib import clock
from console.lib.subject import Subject

register = template.Library()


@register.simple_tag(takes_context=True)
def card_of(context: Context, job: Job) -> Card:
    """Return the job as the card shows it; a poll passes its own card in."""
    made: Any = context.get("card")
    return made if isinstance(made, Card) else card(job, clock.now())


@register.simple_tag
def page_of(subject: Subject) -> str | None:
    """Return the page of a subject, or None."""
    return links.link(subject.kind, subject.id)
