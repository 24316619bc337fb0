"""What is recorded about settings."""

from enum import StrEnum


class Action(StrEnum):
    """Names are for ever: the log keeps them."""

    ADDED = "settings.added"
    CHANGED = "settings.changed"
    DELETED = "settings.deleted"
    RESET = "settings.reset-to-default"
    RAISED = "settings.validity-raised"
    REFUSED = "settings.refused"


LABELS = {
    Action.ADDED: "Setting added",
    Action.CHANGED: "Setting changed",
    Action.DELETED: "Setting deleted",
    Action.RESET: "Setting reset to its default",
    Action.RAISED: "Validity raised above the renewal window",
    Action.REFUSED: "Change of settings refused",
}
