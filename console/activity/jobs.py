"""Job kinds of the activity log, and its export."""

from console.activity import heads
from console.activity.actions import Action
from console.jobs.exports import Export
from console.jobs.kinds import JobKind, OnLost, register, register_periodic

HOUR_S = 3600

VERIFY = register(
    JobKind(
        name="activity.verify",
        label="Verify activity log",
        task="activity.verify",
        time_limit_s=HOUR_S,
        lease_s=HOUR_S + 60,
        on_lost=OnLost.RETRY,
        max_attempts=2,
        retry_by_hand=True,
    )
)
EXPORT = Export(
    register(
        JobKind(
            name="activity.export",
            label="Export activity log",
            task="activity.export",
            time_limit_s=HOUR_S,
            lease_s=HOUR_S + 60,
            on_lost=OnLost.RETRY,
            max_attempts=2,
            retry_by_hand=True,
        )
    ),
    "activity",
    title="activity-log",
    taken=Action.EXPORT_DOWNLOADED,
    again="Export the entries again.",
    subject=heads.LOG,
    rows="entries",
    made=Action.EXPORTED,
)
TIDY_EXPORTS = register_periodic(
    JobKind(
        name="activity.tidy-exports",
        label="Delete old exports",
        task="activity.tidy-exports",
        time_limit_s=60,
        lease_s=90,
        on_lost=OnLost.RETRY,
        housekeeping=True,
    ),
    every_s=24 * HOUR_S,
)
