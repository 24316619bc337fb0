"""The job kinds of this app. Nothing here makes a key that stays, so a lost worker leaves nothing behind."""

from console.jobs.kinds import JobKind, OnLost, register, register_periodic

# Several device calls, each with its own deadline (`hsm.device.opening`); the lease outlasts the limit.
TIME_LIMIT_S = 240
LEASE_S = 270

CHECK = register(
    JobKind(
        name="hsm.check",
        label="Check HSM integration",
        task="hsm.check",
        time_limit_s=TIME_LIMIT_S,
        lease_s=LEASE_S,
        on_lost=OnLost.FAIL,
    )
)
LIST_TOKENS = register(
    JobKind(
        name="hsm.tokens",
        label="List tokens",
        task="hsm.tokens",
        time_limit_s=TIME_LIMIT_S,
        lease_s=LEASE_S,
        on_lost=OnLost.FAIL,
        retry_by_hand=True,
    )
)
FOLLOW_PIN = register(
    JobKind(
        name="hsm.follow-pin",
        label="Take over a new PIN",
        task="hsm.follow_pin",
        time_limit_s=TIME_LIMIT_S,
        lease_s=LEASE_S,
        on_lost=OnLost.FAIL,
        retry_by_hand=True,
    )
)
REBIND = register(
    JobKind(
        name="hsm.rebind",
        label="Re-bind keys",
        task="hsm.rebind",
        time_limit_s=TIME_LIMIT_S,
        lease_s=LEASE_S,
        on_lost=OnLost.FAIL,
        retry_by_hand=True,
    )
)
RELEASE = register_periodic(
    JobKind(
        name="hsm.release-unused",
        label="Release tokens without keys",
        task="hsm.release_unused",
        time_limit_s=60,
        lease_s=90,
        on_lost=OnLost.RETRY,
        housekeeping=True,
    ),
    every_s=3600,
)
