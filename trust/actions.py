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
    READMISSION_BEGUN = "trust.readmission.begun"
    READMISSION_WITHDRAWN = "trust.readmission.withdrawn"
    CLIENT_READMITTED = "trust.client.readmitted"
    CLIENT_REVOKED = "trust.client.revoked"
    CLIENT_CRL_SIGNED = "trust.client-crl.signed"
    # Client Status
    CLIENTS_EXPORTED = "trust.clients.exported"
    CLIENTS_DOWNLOADED = "trust.clients.downloaded"
    CLIENTS_FORGOTTEN = "trust.clients.forgotten"
    # Batches of certificates
    BATCH_CLOSED = "trust.batch.closed"
    # Retention
    CERTIFICATES_DELETED = "trust.certificates.deleted"
    DOCUMENTS_DELETED = "trust.documents.deleted"
    # Acts on one client
    PUBLIC_KEY_RESET_REQUESTED = "trust.client.public-key-reset-requested"
    PUBLIC_KEY_RESET = "trust.client.public-key-reset"

    # Questions
    QUESTION_ASKED = "trust.question.asked"
    QUESTION_SIGNED = "trust.question.signed"

    # Infrastructure configuration files
    INIT_FILE_REQUESTED = "trust.init-file.requested"
    INIT_FILE_DOWNLOADED = "trust.init-file.downloaded"
    INIT_FILE_FAILED = "trust.init-file.failed"
    INIT_FILE_EXPIRED = "trust.init-file.expired"
    INIT_FILE_WRITTEN = "trust.init-file.written"
    LEGACY_KEY_DOWNLOADED = "trust.legacy-key.downloaded"
    CREDENTIAL_WITHDRAWN = "trust.credential.withdrawn"
    CREDENTIAL_EXHAUSTED = "trust.credential.exhausted"


LABELS: dict[str, str] = {
    Action.TRUST_LIST_PUBLISHED: "Trust list for clients signed",
    Action.SETTINGS_PUBLISHED: "Settings for clients signed",
    Action.DIRECTIVE_PUBLISHED: "Directive for clients signed",
    Action.CREDENTIAL_REFUSED: "Enrolment credential refused",
    Action.ENROLMENT_WAITS: "Enrolment of a known client waits",
    Action.REENROLMENT_ALLOWED: "Re-enrolment of a client allowed once",
    Action.REENROLMENT_WITHDRAWN: "Permission to re-enrol withdrawn",
    Action.READMISSION_BEGUN: "Certificates from before a restore accepted",
    Action.READMISSION_WITHDRAWN: "Certificates from before a restore no longer accepted",
    Action.CLIENT_READMITTED: "Client came back by a certificate from before a restore",
    Action.CLIENT_REVOKED: "Client revoked",
    Action.CLIENT_CRL_SIGNED: "Revocation list of client certificates signed",
    Action.CLIENTS_EXPORTED: "Clients exported",
    Action.CLIENTS_DOWNLOADED: "Export of clients downloaded",
    Action.CLIENTS_FORGOTTEN: "Unproven clients forgotten",
    Action.BATCH_CLOSED: "Client certificates issued",
    Action.CERTIFICATES_DELETED: "Ended client certificates deleted",
    Action.DOCUMENTS_DELETED: "Superseded documents for clients deleted",
    Action.PUBLIC_KEY_RESET_REQUESTED: "Reset of a client's public key requested",
    Action.PUBLIC_KEY_RESET: "Client told to reset its public key",
    Action.QUESTION_ASKED: "Question to clients",
    Action.QUESTION_SIGNED: "Question to clients signed",
    Action.INIT_FILE_REQUESTED: "keystead-init.dat requested",
    Action.INIT_FILE_DOWNLOADED: "keystead-init.dat downloaded",
    Action.INIT_FILE_FAILED: "keystead-init.dat not made",
    Action.INIT_FILE_EXPIRED: "keystead-init.dat not fetched in time",
    Action.INIT_FILE_WRITTEN: "keystead-init.dat written by the command",
    Action.LEGACY_KEY_DOWNLOADED: "keystead.pub downloaded",
    Action.CREDENTIAL_WITHDRAWN: "Enrolment credential withdrawn",
    Action.CREDENTIAL_EXHAUSTED: "Enrolment credential used up",
}
