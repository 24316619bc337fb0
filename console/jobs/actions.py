"""What is recorded about jobs."""

from enum import StrEnum


class Action(StrEnum):
    """Names are for ever: the log keeps them."""

    CANCELLED = "jobs.cancelled"
    RESCHEDULED = "jobs.rescheduled"
    RUN_NOW = "jobs.run-now"
    RETRIED = "jobs.retried"
    FAILED = "jobs.failed"
    LOST = "jobs.lost"


LABELS = {
    Action.CANCELLED: "Job cancelled",
    Action.RESCHEDULED: "Job moved to another time",
    Action.RUN_NOW: "Job started before its time",
    Action.RETRIED: "Job retried",
    Action.FAILED: "Job failed",
    Action.LOST: "Job lost its worker",
}
