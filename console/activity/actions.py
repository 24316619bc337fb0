"""Names of what is recorded about the activity log itself."""

from enum import StrEnum


class Action(StrEnum):
    """Actions on the log; reading it is no action."""

    VERIFIED = "activity-log.verified"
    EXPORTED = "activity-log.exported"
    EXPORT_DOWNLOADED = "activity-log.export-downloaded"
    EVIDENCE_COMPLETED = "activity-log.evidence-completed"


LABELS = {
    Action.VERIFIED: "Activity log verified",
    Action.EXPORTED: "Activity log exported",
    Action.EXPORT_DOWNLOADED: "Activity log export downloaded",
    Action.EVIDENCE_COMPLETED: "File of signed heads completed",
}
