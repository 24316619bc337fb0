"""The job kinds of this app. Every task can begin again where it stopped, so a lost worker means another attempt."""

from functools import partial

from console.jobs.kinds import JobKind, OnLost, register, register_periodic
from keys.backup import asking
from keys.cancelling import revocation_cancelled, waits_for_others

# A device call ends by its own deadline well within the limit; the lease outlasts the limit (docs/design.md §2).
TIME_LIMIT_S = 150
LEASE_S = 180
RETRY_DELAYS_S = (30, 60, 300, 900)
# Work on a device that is away is tried again until it is there.
device_work = partial(JobKind, time_limit_s=TIME_LIMIT_S, lease_s=LEASE_S, on_lost=OnLost.RETRY, max_attempts=0)

CREATE_ROOT = register(
    device_work(
        name="keys.create-root",
        label="Create root key",
        task="keys.create_root",
        # Longer than the lease: the first look at an unsettled creation comes when no call can be running any more.
        retry_delays_s=(LEASE_S, 300, 900, 3600, 6 * 3600),
        cancellable=False,
    )
)
CROSS_CERTIFY = register(
    device_work(
        name="keys.cross-certify",
        label="Cross-certify root keys",
        task="keys.cross_certify",
        retry_delays_s=RETRY_DELAYS_S,
        retry_by_hand=True,
        cancellable=False,
    )
)
REMAKE_SUBORDINATES = register(
    device_work(
        name="keys.remake-subordinates",
        label="Make subordinate keys",
        task="keys.remake_subordinates",
        retry_delays_s=RETRY_DELAYS_S,
        retry_by_hand=True,
        cancellable=False,
    )
)
WHEN_READY = "only_when_ready"
"""The parameter of a revocation that waits, once its date has come, until nobody needs the root any more."""
REVOKE_ROOT = register(
    device_work(
        name="keys.revoke-root",
        label="Revoke root key",
        task="keys.revoke_root",
        retry_delays_s=RETRY_DELAYS_S,
        reschedulable=True,
        on_cancel=revocation_cancelled,
        keeps_waiting=waits_for_others,
    )
)
DESTROY_KEY = register(
    device_work(
        name="keys.destroy-key",
        label="Destroy private key",
        task="keys.destroy_key",
        retry_delays_s=(*RETRY_DELAYS_S, 3600),
        retry_by_hand=True,
        cancellable=False,
    )
)
VERIFY_KEYS = register(
    JobKind(
        name="keys.verify",
        label="Verify keys",
        task="keys.verify",
        # It waits for the answer of a client, which may take as long as the pause between two registrations.
        time_limit_s=TIME_LIMIT_S + 150,
        lease_s=LEASE_S + 150,
        on_lost=OnLost.FAIL,
    )
)
ROTATE_DUE = register_periodic(
    JobKind(
        name="keys.rotate-due",
        label="Renewal scan of subordinate keys",
        task="keys.rotate_due",
        time_limit_s=60,
        lease_s=90,
        on_lost=OnLost.RETRY,
        housekeeping=True,
    ),
    every_s=60,
)
RECONCILE = register_periodic(
    JobKind(
        name="keys.reconcile",
        label="Look for unsettled keys",
        task="keys.reconcile",
        time_limit_s=TIME_LIMIT_S,
        lease_s=LEASE_S,
        on_lost=OnLost.RETRY,
        housekeeping=True,
    ),
    every_s=60,
)
SIGN_LOG_HEAD = register_periodic(
    JobKind(
        name="keys.sign-log-head",
        label="Sign the head of the activity log",
        task="keys.sign_log_head",
        time_limit_s=60,
        lease_s=90,
        on_lost=OnLost.RETRY,
        housekeeping=True,
    ),
    every_s=60,
)
PKI_PASSWORD = register(
    JobKind(
        name="keys.pki-password",
        label="Change what encrypts the key store",
        task="keys.pki_password",
        time_limit_s=300,
        lease_s=330,
        on_lost=OnLost.RETRY,
        max_attempts=0,
        retry_delays_s=(5, 15, 60),
        retry_by_hand=True,
        cancellable=False,
    )
)
BACK_UP = register(
    JobKind(
        name=asking.JOB_KIND,
        label="Back up",
        task="keys.back_up",
        time_limit_s=3600,
        lease_s=3660,
        on_lost=OnLost.UNKNOWN,
        settle=asking.lost,
        on_cancel=asking.cancelled,
    )
)
