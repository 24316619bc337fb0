"""What the activity log calls the acts of this app."""

from enum import StrEnum


class Action(StrEnum):
    """Users, roles, passwords, second factors, sessions."""

    USER_CREATED = "accounts.user.created"
    USER_CHANGED = "accounts.user.changed"
    USER_DEACTIVATED = "accounts.user.deactivated"
    USER_REACTIVATED = "accounts.user.reactivated"
    ROLE_GRANTED = "accounts.role.granted"
    ROLE_WITHDRAWN = "accounts.role.withdrawn"
    PASSWORD_CHANGED = "accounts.password.changed"  # noqa: S105 - the name of an act
    PASSWORD_RESET = "accounts.password.reset"  # noqa: S105
    SIGNED_IN = "accounts.session.signed_in"
    SIGN_IN_FAILED = "accounts.session.sign_in_failed"
    SIGNED_OUT = "accounts.session.signed_out"
    CONFIRMED = "accounts.session.confirmed"
    CONFIRMATION_FAILED = "accounts.session.confirmation_failed"
    SESSION_ENDED = "accounts.session.ended"
    FACTOR_ADDED = "accounts.factor.added"
    FACTOR_REMOVED = "accounts.factor.removed"
    FACTOR_RESET = "accounts.factor.reset"
    RECOVERY_CODES_MADE = "accounts.factor.recovery_codes_made"


LABELS = {
    Action.USER_CREATED: "User created",
    Action.USER_CHANGED: "User changed",
    Action.USER_DEACTIVATED: "User deactivated",
    Action.USER_REACTIVATED: "User reactivated",
    Action.ROLE_GRANTED: "Role granted",
    Action.ROLE_WITHDRAWN: "Role withdrawn",
    Action.PASSWORD_CHANGED: "Password changed",
    Action.PASSWORD_RESET: "Password reset by an administrator",
    Action.SIGNED_IN: "Signed in",
    Action.SIGN_IN_FAILED: "Sign-in failed",
    Action.SIGNED_OUT: "Signed out",
    Action.CONFIRMED: "Sign-in confirmed again",
    Action.CONFIRMATION_FAILED: "Confirming the sign-in failed",
    Action.SESSION_ENDED: "Session ended",
    Action.FACTOR_ADDED: "Second factor added",
    Action.FACTOR_REMOVED: "Second factor removed",
    Action.FACTOR_RESET: "Second factors removed by an administrator",
    Action.RECOVERY_CODES_MADE: "Recovery codes made",
}
