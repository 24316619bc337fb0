"""Turns the subject of an entry or a job into a URL. Apps register what they can show; low layers know none."""

from django.urls import reverse

_views: dict[str, str] = {}


def register(subject_kind: str, view_name: str) -> None:
    """Say which view (with the subject's id as its one argument) shows a kind of subject."""
    _views[subject_kind] = view_name


def link(subject_kind: str, subject_id: str) -> str | None:
    """Return the page of a subject, or None when it has none."""
    view_name = _views.get(subject_kind)
    return reverse(view_name, args=[subject_id]) if view_name and subject_id else None
