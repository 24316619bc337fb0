"""Turns the subject of an entry or a job into a URL. Apps register what they can show; low layers know none."""

from django.urls import NoReverseMatch, reverse

_views: dict[str, str] = {}


def register(subject_kind: str, view_name: str) -> None:
    """Say which view (with the subject's id as its one argument) shows a kind of subject."""
    _views[subject_kind] = view_name


def link(subject_kind: str, subject_id: str) -> str | None:
    """Return the page of a subject, or None when it has none; an id of another form must not break a log page."""
    view_name = _views.get(subject_kind)
    if not view_name or not subject_id:
        return None
    try:
        return reverse(view_name, args=[subject_id])
    except NoReverseMatch:
        return None
