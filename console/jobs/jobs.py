"""The job kinds of this app."""

from console.jobs.kinds import JobKind, OnLost, register_periodic

TIDY = register_periodic(
    JobKind(
        name="jobs.tidy",
        label="Delete old jobs",
        task="jobs.tidy",
        time_limit_s=60,
        lease_s=90,
        on_lost=OnLost.RETRY,
        housekeeping=True,
    ),
    every_s=6 * 3600,
)
