"""The edge: who may reach a view, and how the domain's errors become HTTP."""

from collections.abc import Callable
from http import HTTPStatus
from typing import Any
from urllib.parse import urlencode

from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.urls import reverse

from console.accounts.models import User
from console.accounts.recent import is_recent
from console.activity import log
from console.allauth_access import ALLAUTH_VIEWS
from console.errors import refusal, status_of
from console.lib import htmx
from console.lib.camefrom import came_from
from console.lib.capability import Capability
from console.lib.errors import ConsoleError, RefusedError, RightMissingError
from console.lib.search import NUL, UNKNOWN
from console.lib.subject import Subject

GetResponse = Callable[[HttpRequest], HttpResponseBase]


class HeadersMiddleware:
    """Adds the headers that no library sets, and keeps fragments and pages apart in caches."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        response.headers.setdefault("Permissions-Policy", "camera=(), geolocation=(), microphone=()")
        if not request.path.startswith("/static/"):
            response.headers.setdefault("Cache-Control", "no-store")
            response.headers["Vary"] = ", ".join(filter(None, (response.headers.get("Vary"), "HX-Request")))
        return response


class ErrorsMiddleware:
    """Turns what the domain raises into a page, or, for a fragment, into a toast."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        """Answer a ConsoleError; anything else stays Django's 500."""
        if not isinstance(error, ConsoleError):
            return None
        if isinstance(error, RightMissingError) and isinstance(request.user, User):
            record_refusal(request, request.user, error.needed)
        return refusal(request, status_of(error), error)


class AccessMiddleware:
    """Lets nobody reach a view whose declared capability they lack; a view that declares nothing is refused."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        return self.get_response(request)

    def process_view(
        self, request: HttpRequest, view: Callable[..., Any], _args: Any, _kwargs: Any
    ) -> HttpResponseBase | None:
        """Check sign-in, capability and age of the sign-in, in that order."""
        capability, recent = declaration(request, view)
        if capability is Capability.PUBLIC:
            return None
        if not isinstance(request.user, User):
            return _to(request, redirect_to_login(_here(request)).url)
        if capability is None or not request.user.may(capability):
            return self._refuse(request, request.user, capability)
        if recent and not is_recent(request):
            # A dialog is a page of its own too: come back to it. A form that was sent is entered again.
            back = request.get_full_path() if request.method == "GET" else _here(request)
            return _to(request, f"{reverse('account_reauthenticate')}?{urlencode({'next': back})}")
        return None

    def _refuse(self, request: HttpRequest, user: User, capability: Capability | None) -> HttpResponse:
        needed = capability or "a right that no role has"
        record_refusal(request, user, str(needed))
        return refusal(
            request,
            HTTPStatus.FORBIDDEN,
            RefusedError(
                f"Your roles do not allow this: it needs the right to {needed}. Nothing was changed.",
                next_step="Ask an Administrator for the role, or to do it for you.",
            ),
        )


def record_refusal(request: HttpRequest, user: User, needed: str) -> None:
    """Write down that somebody tried to change what is not theirs; looking is only refused."""
    if request.method == "POST":
        subject = Subject("page", "", request.path.replace(NUL, UNKNOWN))
        log.refuse("access.refused", subject, actor=user.actor, details={"needed": needed})


def declaration(request: HttpRequest, view: Callable[..., Any]) -> tuple[Capability | None, bool]:
    """Return what the view needs: from its own declaration, or from the table of the library's views."""
    if hasattr(view, "capability"):
        return view.capability, bool(getattr(view, "recent", False))
    match = request.resolver_match
    return ALLAUTH_VIEWS.get(match.view_name if match else "", (None, False))


def _here(request: HttpRequest) -> str:
    """Return the page to come back to: a form that was sent is entered again, never kept in the session."""
    if getattr(request, "htmx", False) or request.method != "GET":
        return came_from(request) or "/"
    return request.get_full_path()


def _to(request: HttpRequest, url: str) -> HttpResponse:
    return htmx.redirect(url) if getattr(request, "htmx", False) else HttpResponseRedirect(url)
