"""Second factors of a user: authenticator app, security keys, recovery codes. The rows are allauth's."""

from dataclasses import dataclass

from allauth.mfa.models import Authenticator
from django.db import transaction

from console.accounts import sessions
from console.accounts.actions import Action
from console.accounts.models import User
from console.accounts.subjects import user_subject
from console.activity import log
from console.lib.actor import Actor
from console.lib.errors import ConflictError

LABELS = {
    Authenticator.Type.TOTP: "Authenticator app",
    Authenticator.Type.WEBAUTHN: "Security key",
    Authenticator.Type.RECOVERY_CODES: "Recovery codes",
}


@dataclass(frozen=True)
class FactorSummary:
    """What a page says about the second factors of a user; no secret."""

    app: bool
    keys: int

    @property
    def is_set_up(self) -> bool:
        """Whether a second factor is asked for at sign-in."""
        return self.app or self.keys > 0

    def __str__(self) -> str:
        parts = ["authenticator app"] if self.app else []
        if self.keys:
            parts.append("1 security key" if self.keys == 1 else f"{self.keys} security keys")
        return " and ".join(parts).capitalize() or "Not set up"


def summary(kinds: list[str]) -> FactorSummary:
    """Return the summary of these kinds of authenticators."""
    return FactorSummary(Authenticator.Type.TOTP in kinds, kinds.count(Authenticator.Type.WEBAUTHN))


def of(user: User) -> FactorSummary:
    """Return the second factors of one user."""
    return summary(list(Authenticator.objects.filter(user_id=user.pk).values_list("type", flat=True)))


@transaction.atomic
def remove_all(user: User, *, actor: Actor) -> None:
    """Take all second factors from a user who lost them, and end the sessions of the user.

    Raises ConflictError when there are none.
    """
    number, _ = Authenticator.objects.filter(user_id=user.pk).delete()
    if not number:
        raise ConflictError(f"{user.username} has no second factor. Nothing was changed.")
    details = {"sessions_ended": sessions.end_all(user)}
    log.append(Action.FACTOR_RESET, user_subject(user), actor=actor, details=details)
