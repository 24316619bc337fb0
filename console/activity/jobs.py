"""Job kinds of the activity log."""

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
EXPORT = register(
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
