"""Receivers for what allauth tells of second factors: allauth offers signals, not methods, at these places."""

from typing import Any

from allauth.account.signals import authentication_step_completed
from allauth.mfa.models import Authenticator
from allauth.mfa.signals import (
    authentication_failed,
    authenticator_added,
    authenticator_removed,
    authenticator_reset,
)
from django.db import transaction
from django.http import HttpRequest

from console.accounts import sign_in
from console.accounts.actions import Action
from console.accounts.models import User
from console.accounts.subjects import user_subject
from console.activity import log

CODES = Authenticator.Type.RECOVERY_CODES


def connect() -> None:
    """Listen; called once, when the app is ready."""
    authenticator_added.connect(_added)
    authenticator_removed.connect(_removed)
    authenticator_reset.connect(_reset)
    authentication_failed.connect(_failed)
    authentication_step_completed.connect(_confirmed)


def _added(user: User, authenticator: Authenticator, **_: Any) -> None:
    _write(Action.RECOVERY_CODES_MADE if authenticator.type == CODES else Action.FACTOR_ADDED, user, authenticator)


def _removed(user: User, authenticator: Authenticator, **_: Any) -> None:
    _write(Action.FACTOR_REMOVED, user, authenticator)


def _reset(user: User, authenticator: Authenticator, **_: Any) -> None:
    _write(Action.RECOVERY_CODES_MADE, user, authenticator)


def _failed(request: HttpRequest, user: User, authenticator: Authenticator, **_: Any) -> None:
    sign_in.fail(request, user.username, factor=sign_in.factor_label(authenticator.type))


def _confirmed(request: HttpRequest, user: User, method: str, **data: Any) -> None:
    if data.get("reauthenticated"):
        sign_in.confirm(request, user, sign_in.factor_label(data["type"]) if "type" in data else method.capitalize())


@transaction.atomic
def _write(action: Action, user: User, authenticator: Authenticator) -> None:
    details = {"factor": sign_in.factor_label(authenticator.type)}
    if authenticator.type == Authenticator.Type.WEBAUTHN:
        details["name"] = authenticator.wrap().name
    log.append(action, user_subject(user), actor=user.actor, details=details)
