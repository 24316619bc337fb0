"""Celery tasks of this app: each does the work of one job through one domain call."""

from collections.abc import Callable
from datetime import datetime

from console.activity import heads
from console.jobs.running import Run, job_task
from console.servers.current import current
from hsm import software
from keys import (
    creation,
    crosscertification,
    destruction,
    jobs,
    logkey,
    pkidb_password,
    reconciler,
    revoking,
    rotation,
    subordinates,
    verification,
)
from keys.backup import making
from keys.keystore import open_local_store
from keys.models.root import RevocationReason
from keys.purposes import Purpose

# Here and not in apps.py: Verify runs in the worker, and the web process must not reach the key store.
heads.register_log_keys(logkey.public_keys)

software.register(open_local_store)


def _then_sign(work: Callable[[Run], str]) -> Callable[[Run], str]:
    """Have the head of the activity log signed after a key operation, however it ended (docs/design.md §6)."""

    def signed(run: Run) -> str:
        try:
            return work(run)
        finally:
            logkey.sign_head_after_key_operation()

    return signed


@job_task(jobs.CREATE_ROOT)
@_then_sign
def create_root(run: Run) -> str:
    """Make a root key."""
    run.progress(0, 2, "Making the key where the settings say.")
    root = creation.RootCreation(run.job.subject_id, actor=run.job.asked_by).run()
    run.result["root"] = str(root.pk)
    return creation.outcome(root)


@job_task(jobs.CROSS_CERTIFY)
@_then_sign
def cross_certify(run: Run) -> str:
    """Have the roots certify each other."""
    made = crosscertification.complete(current(), actor=run.actor, progress=run.progress)
    return f"{made} cross-certificates made." if made else "Every cross-certificate stands."


@job_task(jobs.REMAKE_SUBORDINATES)
@_then_sign
def remake_subordinates(run: Run) -> str:
    """Make the subordinate keys of this server that are due, or the one that was asked for."""
    server = current()
    subordinates.claim(server, run.job)
    forced = {}
    if "purpose" in run.job.params:
        forced[Purpose(run.job.param("purpose"))] = datetime.fromisoformat(run.job.param("made_before"))
    made = subordinates.remake(server, actor=run.actor, progress=run.progress, forced=forced)
    return f"Made: {', '.join(key.name for key in made)}." if made else "Every subordinate key is up to date."


@job_task(jobs.REVOKE_ROOT)
@_then_sign
def revoke_root(run: Run) -> str:
    """Revoke a root key."""
    order = revoking.Order(
        RevocationReason(run.job.param("reason")),
        run.job.param("note"),
        run.job.pk,
        only_when_ready=bool(run.job.params.get(jobs.WHEN_READY)),
    )
    return revoking.revoke(run.job.subject_id, order, actor=run.actor)


@job_task(jobs.DESTROY_KEY)
@_then_sign
def destroy_key(run: Run) -> str:
    """Destroy a private key."""
    return destruction.destroy(run.job.subject_kind, run.job.subject_id, actor=run.actor)


@job_task(jobs.VERIFY_KEYS)
@_then_sign
def verify(run: Run) -> str:
    """Verify what the keys of this server can prove today."""
    lines = verification.run(current(), actor=run.actor, progress=run.progress)
    run.result["lines"] = [line.as_json() for line in lines]
    failed = sum(not line.ok for line in lines)
    return f"{failed} checks failed." if failed else "Every check passed."


@job_task(jobs.ROTATE_DUE)
def rotate_due(_run: Run) -> str:
    """Queue what is due: new subordinate keys, and the destruction of private keys without a use."""
    server = current()
    started = rotation.start_due(server)
    ripe = destruction.start_ripe(server)
    made = "New subordinate keys are being made." if started else "No subordinate key is due."
    return f"{made} {ripe} private keys are being destroyed." if ripe else made


@job_task(jobs.RECONCILE)
def reconcile(_run: Run) -> str:
    """Look after keys whose making was interrupted."""
    return reconciler.reconcile(current())


@job_task(jobs.SIGN_LOG_HEAD)
def sign_log_head(_run: Run) -> str:
    """Sign the head of the activity log."""
    return "Signed." if logkey.sign_head() else "Nothing new to sign."


@job_task(jobs.PKI_PASSWORD)
def pki_password(run: Run) -> str:
    """Make pki.db open with what PKIDatabasePassword says now."""
    return pkidb_password.bring_about(actor=run.actor, progress=run.progress)


@job_task(jobs.BACK_UP)
def back_up(run: Run) -> str:
    """Make the backup that was asked for."""
    return making.make_requested(run.job.subject_id, actor=run.actor)
