"""What the activity log keeps of sign-ins: who, from where, by which factors, and what failed."""

from typing import Any

from allauth.account.adapter import get_adapter
from allauth.account.internal.flows.login import get_authentication_records
from allauth.mfa.models import Authenticator
from django.core.cache import cache
from django.db import transaction
from django.http import HttpRequest

from console.accounts import factors
from console.accounts.actions import Action
from console.accounts.models import User
from console.accounts.subjects import user_subject
from console.activity import log
from console.activity.models import Outcome
from console.lib.actor import Actor
from console.lib.subject import Subject

# Who acts while nobody is signed in.
NOBODY = Actor.system("sign-in")
# What was typed is not written: people type passwords into the wrong field.
UNKNOWN_NAME = Subject("user", "", "unknown user name")
THROTTLE_LOGGED_EVERY_SECONDS = 300


def record(request: HttpRequest, user: User) -> None:
    """Write that a user signed in; inside the caller's transaction."""
    used = [_factor(entry) for entry in get_authentication_records(request, user)]
    details = {"address": _address(request), "factors": used}
    log.append(Action.SIGNED_IN, user_subject(user), actor=user.actor, details=details)


def record_end(user: Any) -> None:
    """Write that a user signed out; inside the caller's transaction."""
    if isinstance(user, User):
        log.append(Action.SIGNED_OUT, user_subject(user), actor=user.actor)


@transaction.atomic
def confirm(request: HttpRequest, user: User, factor: str) -> None:
    """Write that a signed-in user proved again who they are."""
    details = {"address": _address(request), "factor": factor}
    log.append(Action.CONFIRMED, user_subject(user), actor=user.actor, details=details)


@transaction.atomic
def fail(request: HttpRequest, username: str, factor: str = "password") -> None:
    """Write that a password or a code was wrong, at sign-in or when confirming it."""
    user = User.objects.filter(username__iexact=username).first()
    subject = user_subject(user) if user else UNKNOWN_NAME
    details = {"address": _address(request), "factor": factor}
    confirming = isinstance(request.user, User)
    action = Action.CONFIRMATION_FAILED if confirming else Action.SIGN_IN_FAILED
    actor = request.user.actor if isinstance(request.user, User) else NOBODY
    log.append(action, subject, actor=actor, outcome=Outcome.FAILED, details=details)


def refuse(request: HttpRequest, user: User, reason: str) -> None:
    """Write that the password was right, and the user was kept out all the same."""
    details = {"address": _address(request), "reason": reason}
    log.refuse(Action.SIGN_IN_FAILED, user_subject(user), actor=NOBODY, details=details)


def throttle(request: HttpRequest, username: str) -> None:
    """Write that too many attempts were refused: once in a while, so that nobody fills the log with it."""
    user = User.objects.filter(username__iexact=username).first()
    subject, address = (user_subject(user) if user else UNKNOWN_NAME), _address(request)
    if cache.add(f"accounts.throttled.{subject.id}.{address}", "logged", THROTTLE_LOGGED_EVERY_SECONDS):
        details = {"address": address, "reason": "too many failed attempts"}
        log.refuse(Action.SIGN_IN_FAILED, subject, actor=NOBODY, details=details)


def factor_label(kind: str) -> str:
    """Return what a page and the log call a kind of authenticator."""
    return factors.LABELS[Authenticator.Type(kind)]


def _factor(entry: dict[str, Any]) -> str:
    return factor_label(entry["type"]) if "type" in entry else str(entry["method"]).capitalize()


def _address(request: HttpRequest) -> str:
    return str(get_adapter().get_client_ip(request))
