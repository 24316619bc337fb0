"""The job kinds of this app. What a lost worker left behind is found by the next attempt, or by housekeeping."""

from functools import partial

from console.jobs.kinds import JobKind, OnLost, register, register_periodic
from hsm.objects import cancelling
from hsm.use import asking

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

# Groups and connections. A test of one connection may wait for two deadlines; a group has a handful of connections.
TEST_CONNECTIONS = register(
    JobKind(
        name="hsm.test-connections",
        label="Test connection",
        task="hsm.test_connections",
        time_limit_s=TIME_LIMIT_S,
        lease_s=LEASE_S,
        on_lost=OnLost.FAIL,
    )
)
TEST_DRAFT = register(
    JobKind(
        name="hsm.test-draft",
        label="Test connection before it is saved",
        task="hsm.test_draft",
        time_limit_s=TIME_LIMIT_S,
        lease_s=LEASE_S,
        on_lost=OnLost.FAIL,
    )
)
TAKE_CLIENT_PAIR = register(
    JobKind(
        name="hsm.take-client-pair",
        label="Check the client certificate",
        task="hsm.take_client_pair",
        time_limit_s=60,
        lease_s=90,
        on_lost=OnLost.RETRY,
        max_attempts=3,
        cancellable=False,
    )
)
DELETE_GROUP = register(
    JobKind(
        name="hsm.delete-group",
        label="Remove the records of a deleted group",
        task="hsm.delete_group",
        time_limit_s=600,
        lease_s=660,
        on_lost=OnLost.RETRY,
        max_attempts=0,
        retry_by_hand=True,
        cancellable=False,
    )
)
CHECK_CONNECTIONS = register_periodic(
    JobKind(
        name="hsm.check-connections",
        label="Health check of connections",
        task="hsm.check_connections",
        time_limit_s=TIME_LIMIT_S,
        lease_s=LEASE_S,
        on_lost=OnLost.RETRY,
        housekeeping=True,
    ),
    every_s=15,
)

# Use key: signed, verified, encrypted or decrypted once. A second attempt would be a second signature.
USE_KEY = register(
    JobKind(
        name=asking.JOB_KIND,
        label="Use key",
        task="hsm.use_key",
        time_limit_s=TIME_LIMIT_S,
        lease_s=LEASE_S,
        on_lost=OnLost.FAIL,
        on_cancel=lambda job, _actor: asking.forget(job.pk),
    )
)
EXPIRE_USES = register_periodic(
    JobKind(
        name="hsm.expire-uses",
        label="Delete the results of used keys",
        task="hsm.expire_uses",
        time_limit_s=60,
        lease_s=90,
        on_lost=OnLost.RETRY,
        housekeeping=True,
    ),
    every_s=60,
)

# Sync keys. 10,000 keys take seconds; a slow HSM with as many may take minutes.
SYNC = register(
    JobKind(
        name="hsm.sync",
        label="Sync keys",
        task="hsm.sync",
        time_limit_s=1800,
        lease_s=1860,
        on_lost=OnLost.RETRY,
        max_attempts=2,
    )
)
SYNC_DUE = register_periodic(
    JobKind(
        name="hsm.sync-due",
        label="Sync of groups with an interval",
        task="hsm.sync_due",
        time_limit_s=60,
        lease_s=90,
        on_lost=OnLost.RETRY,
        housekeeping=True,
    ),
    every_s=300,
)
EXPORT_OBJECTS = register(
    JobKind(
        name="hsm.export-objects",
        label="Export security objects",
        task="hsm.export_objects",
        time_limit_s=1800,
        lease_s=1860,
        on_lost=OnLost.RETRY,
        max_attempts=2,
        retry_by_hand=True,
    )
)

# Security objects. A key in the making is looked for when no call for it can be running any more: the first delay.
making = partial(
    JobKind,
    time_limit_s=TIME_LIMIT_S,
    lease_s=LEASE_S,
    on_lost=OnLost.RETRY,
    max_attempts=0,
    retry_delays_s=(LEASE_S, 300, 900, 3600, 6 * 3600),
    on_cancel=cancelling.making_cancelled,
)
# What is done to a key that exists has the same effect when it is done twice.
changing = partial(
    JobKind,
    time_limit_s=TIME_LIMIT_S,
    lease_s=LEASE_S,
    on_lost=OnLost.RETRY,
    max_attempts=0,
    retry_delays_s=(30, 60, 300, 900, 3600),
    cancellable=False,
)
GENERATE_OBJECT = register(making(name="hsm.generate", label="Generate key", task="hsm.generate"))
IMPORT_OBJECT = register(making(name="hsm.import", label="Import key", task="hsm.import"))
ROTATE_OBJECT = register(making(name="hsm.rotate", label="Rotate key", task="hsm.rotate"))
PERMIT_OBJECT = register(changing(name="hsm.permit", label="Change permissions", task="hsm.permit"))
REMOVE_PRIVATE = register(
    changing(name="hsm.remove-private", label="Remove private component", task="hsm.remove_private")
)
DELETE_OBJECT = register(changing(name="hsm.delete-object", label="Delete security object", task="hsm.delete_object"))
MAKING_KINDS = (GENERATE_OBJECT, IMPORT_OBJECT, ROTATE_OBJECT)
OBJECT_KINDS = (*MAKING_KINDS, PERMIT_OBJECT, REMOVE_PRIVATE, DELETE_OBJECT)
RECONCILE_OBJECTS = register_periodic(
    JobKind(
        name="hsm.reconcile-objects",
        label="Look for unsettled security objects",
        task="hsm.reconcile_objects",
        time_limit_s=TIME_LIMIT_S,
        lease_s=LEASE_S,
        on_lost=OnLost.RETRY,
        housekeeping=True,
    ),
    every_s=60,
)
