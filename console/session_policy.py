"""When a session ends, and what must be settled before anything else: a password of one's own, a second factor.

It needs settings and accounts both, so it lives above both.
"""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from allauth.usersessions.models import UserSession
from django.contrib import messages
from django.contrib.auth import logout
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.urls import reverse

from console.accounts import factors, idle
from console.accounts.actions import Action
from console.accounts.models import User
from console.accounts.subjects import user_subject
from console.activity import log
from console.lib import clock, htmx
from console.lib.actor import Actor
from console.lib.capability import Capability
from console.lib.passive import is_passive
from settings_store import values

REASONS = {
    idle.End.IDLE: "You were signed out because nothing happened for {minutes} minutes. Sign in to go on.",
    idle.End.AGE: "You were signed out because a session lasts 12 hours at most. Sign in to go on.",
}

LEAVE = {"account_logout", "account_reauthenticate", "mfa_reauthenticate", "mfa_reauthenticate_webauthn"}
FOR_PASSWORD = LEAVE | {"account_change_password"}
FOR_FACTOR = FOR_PASSWORD | {
    "mfa_index",
    "mfa_activate_totp",
    "mfa_add_webauthn",
    "mfa_list_webauthn",
    "mfa_view_recovery_codes",
    "mfa_generate_recovery_codes",
}


class SessionPolicyMiddleware:
    """Ends what is over, notes who is here, and sends a user to what must be settled first."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Do nothing before the view is known."""
        return self.get_response(request)

    def process_view(
        self, request: HttpRequest, view: Callable[..., Any], _args: Any, _kwargs: Any
    ) -> HttpResponseBase | None:
        """End the session, or note that the user is here; send the user to what must be settled first.

        A user whose session ended here is nobody for the access check that comes next.
        """
        user, match = request.user, request.resolver_match
        if not isinstance(user, User) or match is None:
            return None
        limit = timedelta(seconds=values.integer("max_console_idle_seconds"))
        if reason := idle.end_of(request.session, clock.now(), limit):
            _end(request, user, reason)
            messages.info(request, REASONS[reason].format(minutes=limit // timedelta(minutes=1)))
            return None
        # What a page asks for by itself does not keep a session alive (`console.lib.passive`).
        if not is_passive(request) and idle.touch(request.session, clock.now(), limit):
            UserSession.objects.filter(session_key=request.session.session_key).update(last_seen_at=clock.now())
        if getattr(view, "capability", None) is Capability.PUBLIC:
            return None
        place = unsettled(user, match.view_name)
        if place is None and match.view_name == "mfa_index":
            request.must_set_up_factor = lacks_factor(user)  # type: ignore[attr-defined]  # the page says so
        return None if place is None else _go(request, place)


def unsettled(user: User, view_name: str) -> str | None:
    """Return the view to go to before this one, or None.

    A password that somebody else chose is changed first; an Administrator without a second factor sets one up
    when `require_mfa_for_administrators_flag` is 1.
    """
    if user.must_change_password:
        return None if view_name in FOR_PASSWORD else "account_change_password"
    return "mfa_index" if view_name not in FOR_FACTOR and lacks_factor(user) else None


def lacks_factor(user: User) -> bool:
    """Return whether the user is an Administrator who must have a second factor, and has none."""
    if not user.is_administrator or not values.flag("require_mfa_for_administrators_flag"):
        return False
    return not factors.of(user).is_set_up


@transaction.atomic
def _end(request: HttpRequest, user: User, reason: idle.End) -> None:
    UserSession.objects.filter(session_key=request.session.session_key).delete()
    logout(request)
    details = {"reason": reason}
    log.append(Action.SESSION_ENDED, user_subject(user), actor=Actor.system("session policy"), details=details)


def _go(request: HttpRequest, view_name: str) -> HttpResponse:
    if view_name == "account_change_password" and request.method == "GET" and not request.htmx:  # type: ignore[attr-defined]
        request.session["after_password_change"] = request.get_full_path()
    url = reverse(view_name)
    return htmx.redirect(url) if request.htmx else HttpResponseRedirect(url)  # type: ignore[attr-defined]
