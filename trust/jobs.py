"""The job kinds of this app. Each owner of a section registers its kinds here, and their tasks in `trust.tasks`."""

from functools import partial

from console.jobs.kinds import JobKind, OnLost

# What has to be signed may be signed on an HSM: a call there ends by its own deadline well within the limit.
TIME_LIMIT_S = 150
LEASE_S = 180
RETRY_DELAYS_S = (30, 60, 300, 900)
# Work on a device that is away is tried again until it is there.
device_work = partial(JobKind, time_limit_s=TIME_LIMIT_S, lease_s=LEASE_S, on_lost=OnLost.RETRY, max_attempts=0)
housekeeping = partial(JobKind, time_limit_s=60, lease_s=90, on_lost=OnLost.RETRY, housekeeping=True)
