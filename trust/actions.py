"""Names of the entries that this app writes into the activity log."""

from enum import StrEnum


class Action(StrEnum):
    """What was done for clients, by them, or to them."""

    # Publishing
    TRUST_LIST_PUBLISHED = "trust.trust-list.published"
    SETTINGS_PUBLISHED = "trust.settings.published"
    DIRECTIVE_PUBLISHED = "trust.directive.published"
    # Batches of certificates
    BATCH_CLOSED = "trust.batch.closed"
    # Acts on one client
    PUBLIC_KEY_RESET_REQUESTED = "trust.client.public-key-reset-requested"
    PUBLIC_KEY_RESET = "trust.client.public-key-reset"


LABELS: dict[str, str] = {
    Action.TRUST_LIST_PUBLISHED: "Trust list for clients signed",
    Action.SETTINGS_PUBLISHED: "Settings for clients signed",
    Action.DIRECTIVE_PUBLISHED: "Directive for clients signed",
    Action.BATCH_CLOSED: "Client certificates issued",
    Action.PUBLIC_KEY_RESET_REQUESTED: "Reset of a client's public key requested",
    Action.PUBLIC_KEY_RESET: "Client told to reset its public key",
}
