"""The job kinds of this app. Each owner of a section registers its kinds here, and their tasks in `trust.tasks`."""

from functools import partial

from console.jobs.kinds import JobKind, OnLost, register, register_periodic

# What has to be signed may be signed on an HSM: a call there ends by its own deadline well within the limit.
TIME_LIMIT_S = 150
LEASE_S = 180
RETRY_DELAYS_S = (30, 60, 300, 900)
# Work on a device that is away is tried again until it is there.
device_work = partial(JobKind, time_limit_s=TIME_LIMIT_S, lease_s=LEASE_S, on_lost=OnLost.RETRY, max_attempts=0)
housekeeping = partial(JobKind, time_limit_s=60, lease_s=90, on_lost=OnLost.RETRY, housekeeping=True)

# Publishing

PUBLISH = register_periodic(
    housekeeping(name="trust.publish", label="Look for what clients are to be told", task="trust.publish"), every_s=10
)
SIGN_DOCUMENTS = register(
    device_work(
        name="trust.sign-documents",
        label="Sign documents for clients",
        task="trust.sign_documents",
        retry_delays_s=RETRY_DELAYS_S,
        cancellable=False,
    )
)
DIRECT_CLIENT = register(
    device_work(
        name="trust.direct-client",
        label="Sign an order to a client",
        task="trust.direct_client",
        retry_delays_s=RETRY_DELAYS_S,
    )
)
BATCH = register_periodic(
    housekeeping(name="trust.batch", label="Record client certificates in the activity log", task="trust.batch"),
    every_s=10,
)

# Questions and counts
SIGN_QUESTION = register(
    device_work(
        name="trust.sign-question",
        label="Sign a question to clients",
        task="trust.sign_question",
        # Soon, since somebody waits; until the question's time is over, since the HSM may come back.
        retry_delays_s=(5, 15, 30, 60),
        retry_by_hand=True,
    )
)
COUNT = register_periodic(
    housekeeping(name="trust.count", label="Count clients", task="trust.count"),
    every_s=60,
)
FORGET = register_periodic(
    housekeeping(
        name="trust.forget", label="Forget unproven clients that stay away, and old answers", task="trust.forget"
    ),
    every_s=3600,
)

TIDY = register_periodic(
    JobKind(
        name="trust.tidy",
        label="Delete ended client certificates and superseded documents",
        task="trust.tidy",
        # Once a day, and many the first time after the setting was lowered: what is left is done the next day.
        time_limit_s=600,
        lease_s=660,
        on_lost=OnLost.RETRY,
        housekeeping=True,
    ),
    every_s=86_400,
)

# Infrastructure configuration files
MAKE_INIT_FILE = register(
    JobKind(
        name="trust.make-init-file",
        label="Make keystead-init.dat",
        task="trust.make_init_file",
        time_limit_s=TIME_LIMIT_S,
        lease_s=LEASE_S,
        # Somebody waits for ten minutes: a fault is told at once, a lost worker makes room for one more attempt.
        on_lost=OnLost.RETRY,
        max_attempts=2,
        cancellable=False,
    )
)
TIDY_CREDENTIALS = register_periodic(
    housekeeping(
        name="trust.tidy-credentials", label="Look after enrolment credentials", task="trust.tidy_credentials"
    ),
    every_s=60,
)

# Revocation of clients
SIGN_CLIENT_CRL = register(
    device_work(
        name="trust.sign-client-crl",
        label="Sign revocation lists of client certificates",
        task="trust.sign_client_crl",
        retry_delays_s=RETRY_DELAYS_S,
        retry_by_hand=True,
        cancellable=False,
    )
)
LOOK_AT_CLIENT_CRLS = register_periodic(
    housekeeping(
        name="trust.look-at-client-crls",
        label="Look for revocation lists that are due",
        task="trust.look_at_client_crls",
    ),
    every_s=300,
)

# Client Status
EXPORT_CLIENTS = register(
    JobKind(
        name="trust.export-clients",
        label="Export clients",
        task="trust.export_clients",
        # A million lines. The file appears when it is whole: a lost worker leaves none behind.
        time_limit_s=1800,
        lease_s=1860,
        on_lost=OnLost.RETRY,
        max_attempts=2,
        retry_by_hand=True,
    )
)
