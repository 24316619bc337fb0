"""Events that a response sends to the page's script, and how often a page asks for a job."""

from collections.abc import Mapping
from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django_htmx.http import trigger_client_event


def event(response: HttpResponse, name: str, detail: Mapping[str, str]) -> HttpResponse:
    """Send an event to the body of the page.

    Without a target htmx sends it to the element that asked, from where it reaches nobody when another answer has
    replaced that element meanwhile.
    """
    return trigger_client_event(response, name, {"target": "body", **detail})


def toast(response: HttpResponse, kind: str, text: str) -> HttpResponse:
    """Show a note in the corner; `kind` is ok or warn. A toast is never the only record."""
    return event(response, "toast", {"kind": kind, "text": text})


def say(response: HttpResponse, text: str) -> HttpResponse:
    """Have a screen reader speak."""
    return event(response, "say", {"text": text})


def refocus(response: HttpResponse, element_id: str) -> HttpResponse:
    """Put the focus on an element after the swap."""
    return event(response, "refocus", {"id": element_id})


def wants_fragment(request: HttpRequest) -> bool:
    """Tell whether only a part of the page is asked for: not for a boosted link, nor when Back reloads the page."""
    asked: Any = getattr(request, "htmx", None)
    return bool(asked and not asked.boosted and not asked.history_restore_request)


def redirect(url: str) -> HttpResponse:
    """Send the whole page elsewhere from a fragment request."""
    return HttpResponse(headers={"HX-Redirect": url})


def go(request: HttpRequest, url: str) -> HttpResponse:
    """Go to a page after a form: the whole page goes, whether the form stood on it or in a dialog."""
    return redirect(url) if wants_fragment(request) else HttpResponseRedirect(url)


def poll_seconds(polls: int, elapsed_seconds: float) -> float:
    """Return the wait before the next look at a job: 0.3, 0.6, 1, 2 s, and 5 s after a minute."""
    if elapsed_seconds > 60:
        return 5
    return (0.3, 0.6, 1, 2)[min(polls, 3)]
