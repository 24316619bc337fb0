"""Whether a key may do an operation now. The one place that decides it, for pages, jobs and interfaces alike.

It is asked of a row that was just read, when the operation is asked for and again right before the device is called.
Who may use the keys of a group is `hsm.rights`; whether the group's HSM can be reached is found out by reaching it.
"""

from collections.abc import Callable
from dataclasses import dataclass

from console.lib.errors import RefusedError
from hsm.device.objects import PRIVATE_OPERATIONS, Operation
from hsm.models.objects import UNSETTLED, Family, ObjectState, SecurityObject

# A key that was replaced still opens and checks what it closed and signed, and makes nothing new (AMB-21).
AFTER_ROTATION = frozenset({Operation.DECRYPT, Operation.VERIFY, Operation.UNWRAP})

Applies = Callable[[SecurityObject, Operation], bool]


@dataclass(frozen=True)
class Rule:
    """One reason to refuse: when `applies` holds. `message` and `next_step` may name the key, operation and group."""

    code: str
    applies: Applies
    message: str
    next_step: str


def _needs_private_half(key: SecurityObject, operation: Operation) -> bool:
    return key.family == Family.KEY_PAIR and operation in PRIVATE_OPERATIONS


# The first that applies is what is said: what cannot be helped before what a permission would help.
RULES: tuple[Rule, ...] = (
    Rule(
        "GROUP_DELETED",
        lambda key, _operation: key.group.deleted_at is not None,
        "The group “{group}” was deleted, and its virtual keys with it.",
        "Use a key of another group.",
    ),
    Rule(
        "KEY_FAILED",
        lambda key, _operation: key.state == ObjectState.FAILED,
        "“{key}” was never made: {problem}",
        "Generate or import it anew.",
    ),
    Rule(
        "KEY_UNSETTLED",
        lambda key, _operation: key.state in UNSETTLED,
        "“{key}” is not there yet: its making is under way, or its outcome is being found out.",
        "Wait until its state is Active.",
    ),
    Rule(
        "KEY_DESTROYING",
        lambda key, _operation: key.state == ObjectState.DESTROYING,
        "“{key}” is being deleted.",
        "Use another key.",
    ),
    Rule(
        "KEY_NOT_ACTIVE",
        lambda key, _operation: key.state != ObjectState.ACTIVE,
        "“{key}” is not active.",
        "Wait until its state is Active.",
    ),
    Rule(
        "KEY_MISSING",
        lambda key, _operation: key.missing_since is not None,
        "“{key}” is missing in the HSM: the last sync did not find it there.",
        "If it is back in the HSM, sync the keys of the group “{group}”.",
    ),
    Rule(
        "KEY_DEACTIVATED",
        lambda key, _operation: key.deactivated_at is not None,
        "“{key}” is deactivated: it does nothing, whatever is permitted.",
        "Use another key, or have an HSM administrator of the group “{group}” activate this one.",
    ),
    Rule(
        "PRIVATE_REMOVED",
        lambda key, operation: _needs_private_half(key, operation) and key.private_removed_at is not None,
        "The private component of “{key}” was removed, and to {operation} needs it.",
        "Use a key that has its private component.",
    ),
    Rule(
        "PRIVATE_ABSENT",
        lambda key, operation: _needs_private_half(key, operation) and key.hsm_has_private is False,
        "The HSM holds only the public half of “{key}”, and to {operation} needs the private one.",
        "If the private half is there by now, sync the keys of the group “{group}”.",
    ),
    Rule(
        "KEY_ROTATED",
        lambda key, operation: key.rotated_at is not None and operation not in AFTER_ROTATION,
        "“{key}” was rotated: it still decrypts, verifies and unwraps, and does nothing new.",
        "Use its successor.",
    ),
    Rule(
        "NOT_PERMITTED",
        lambda key, operation: operation not in key.operations,
        "“{key}” is not permitted to {operation}. What the HSM would allow makes no difference.",
        "An HSM administrator of the group “{group}” can permit it.",
    ),
)


def decide(key: SecurityObject, operation: Operation) -> None:
    """Return when the key may do the operation; raise RefusedError with the reason and the next step otherwise."""
    for rule in RULES:
        if rule.applies(key, operation):
            names = {
                "key": key.name,
                "operation": operation,
                "group": key.group.title,
                "problem": key.problem or "the reason is not known.",
            }
            raise RefusedError(
                f"{rule.message.format_map(names)} Nothing was done.",
                code=rule.code,
                next_step=rule.next_step.format_map(names),
            )
