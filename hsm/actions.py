"""What is recorded about tokens."""

from enum import StrEnum


class Action(StrEnum):
    """Names are for ever: the log keeps them."""

    CHECK_REQUESTED = "hsm.check.requested"
    CHECKED = "hsm.check.finished"
    TOKENS_REQUESTED = "hsm.tokens.requested"
    BOUND = "hsm.binding.created"
    PIN_FOLLOWED = "hsm.binding.pin-followed"
    PIN_REJECTED = "hsm.pin-rejected"
    FORGOTTEN = "hsm.binding.forgotten"
    RELEASED = "hsm.binding.released"
    REBIND_REQUESTED = "hsm.rebind.requested"
    REBOUND = "hsm.binding.rebound"


LABELS = {
    Action.CHECK_REQUESTED: "Check of the HSM integration requested",
    Action.CHECKED: "HSM integration checked",
    Action.TOKENS_REQUESTED: "List of tokens requested",
    Action.BOUND: "Token bound",
    Action.PIN_FOLLOWED: "New PIN of a token taken over",
    Action.PIN_REJECTED: "PIN rejected by a token",
    Action.FORGOTTEN: "Token forgotten",
    Action.RELEASED: "Token released: no key lives on it",
    Action.REBIND_REQUESTED: "Re-binding of keys requested",
    Action.REBOUND: "Keys re-bound to a token",
}
