"""Names of the entries that this app writes into the activity log."""

from enum import StrEnum


class Action(StrEnum):
    """What was done for clients, by them, or to them."""

    # Publishing
    TRUST_LIST_PUBLISHED = "trust.trust-list.published"
    SETTINGS_PUBLISHED = "trust.settings.published"
    DIRECTIVE_PUBLISHED = "trust.directive.published"
    # Enrolment
    CREDENTIAL_REFUSED = "trust.credential.refused"
    ENROLMENT_WAITS = "trust.client.enrolment-waits"
    REENROLMENT_ALLOWED = "trust.client.re-enrolment-allowed"
    REENROLMENT_WITHDRAWN = "trust.client.re-enrolment-withdrawn"
    CLIENT_REVOKED = "trust.client.revoked"
    CLIENT_CRL_SIGNED = "trust.client-crl.signed"
    # Batches of certificates
    BATCH_CLOSED = "trust.batch.closed"
    # Acts on one client
    PUBLIC_KEY_RESET_REQUESTED = "trust.client.public-key-reset-requested"
    PUBLIC_KEY_RESET = "trust.client.public-key-reset"

    # Questions
    QUESTION_ASKED = "trust.question.asked"
    QUESTION_SIGNED = "trust.question.signed"


LABELS: dict[str, str] = {
    Action.TRUST_LIST_PUBLISHED: "Trust list for clients signed",
    Action.SETTINGS_PUBLISHED: "Settings for clients signed",
    Action.DIRECTIVE_PUBLISHED: "Directive for clients signed",
    Action.CREDENTIAL_REFUSED: "Enrolment credential refused",
    Action.ENROLMENT_WAITS: "Enrolment of a known client waits",
    Action.REENROLMENT_ALLOWED: "Re-enrolment of a client allowed once",
    Action.REENROLMENT_WITHDRAWN: "Permission to re-enrol withdrawn",
    Action.CLIENT_REVOKED: "Client revoked",
    Action.CLIENT_CRL_SIGNED: "Revocation list of client certificates signed",
    Action.BATCH_CLOSED: "Client certificates issued",
    Action.PUBLIC_KEY_RESET_REQUESTED: "Reset of a client's public key requested",
    Action.PUBLIC_KEY_RESET: "Client told to reset its public key",
    Action.QUESTION_ASKED: "Question to clients",
    Action.QUESTION_SIGNED: "Question to clients signed",
}
