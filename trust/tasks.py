"""Celery tasks of this app: each does the work of one job through one domain call."""

from console.activity import annexes
from console.jobs.running import Run, job_task
from console.lib import clock
from console.servers.current import current
from trust import batches, jobs, retention
from trust.clients import counting, crls, exporting, forgetting
from trust.infrastructure import credentials, files, making
from trust.publishing import ordering, publishing, rounds
from trust.questions import proving, signing

# Verify runs in the worker: that of the log, and that of the keys.
annexes.register("client certificates", batches.findings)
proving.register()


@job_task(jobs.PUBLISH)
def publish(_run: Run) -> str:
    """Look for documents that are due to be signed, and for keys that the listener is to have."""
    return rounds.look(current())


@job_task(jobs.SIGN_DOCUMENTS)
def sign_documents(run: Run) -> str:
    """Sign the documents that are due."""
    made = publishing.sign_due(current(), actor=run.actor, progress=run.progress)
    signed = ", ".join(f"{document.get_kind_display()} {document.sequence}" for document in made)
    return f"Signed: {signed}." if signed else "Every document is up to date."


@job_task(jobs.DIRECT_CLIENT)
def direct_client(run: Run) -> str:
    """Sign the order for a client to reset its public key."""
    document = ordering.reset_public_key(run.job.subject_id, actor=run.actor)
    return f"Signed: directive {document.sequence}. The client gets it when it registers next."


@job_task(jobs.BATCH)
def batch(run: Run) -> str:
    """Write the certificates that were issued since into the activity log."""
    made, certificates = batches.close_all(current(), actor=run.actor)
    return f"{certificates:,} certificates recorded in {made} batches." if made else "No new certificate."


@job_task(jobs.SIGN_QUESTION)
def sign_question(run: Run) -> str:
    """Sign the question that was asked; clients get it as they register."""
    question = signing.sign(run.job.subject_id, actor=run.actor)
    return f"Signed. Clients that register until {question.closes_at:%H:%M} UTC are asked."


@job_task(jobs.COUNT)
def count(_run: Run) -> str:
    """Count clients."""
    return f"{counting.count(current()):,} clients."


@job_task(jobs.FORGET)
def forget(_run: Run) -> str:
    """Forget names that never proved a key and stay away, and old answers to questions."""
    now = clock.now()
    names, waited = forgetting.forget(current(), now)
    answers = forgetting.forget_answers(current(), now)
    return (
        f"Forgotten: {names:,} names that proved nothing, {waited:,} keys that wait no longer, {answers:,} old answers."
    )


@job_task(jobs.TIDY)
def tidy(_run: Run) -> str:
    """Delete what ended long ago, as far as nothing stands on it."""
    now = clock.now()
    gone, certificates = retention.delete_certificates(current(), now)
    documents = retention.delete_documents(current(), now)
    return f"Deleted: {certificates:,} certificates in {gone:,} batches, {documents:,} documents."


@job_task(jobs.MAKE_INIT_FILE)
def make_init_file(run: Run) -> str:
    """Make the infrastructure configuration file that somebody waits for."""
    return making.make(run.job.subject_id, actor=run.actor)


@job_task(jobs.TIDY_CREDENTIALS)
def tidy_credentials(_run: Run) -> str:
    """Delete files that nobody fetched, and write down which credentials are used up."""
    now = clock.now()
    late, used_up = files.expire(now), credentials.note_exhausted(current(), now)
    return f"{late} files were not fetched, {used_up} credentials are used up."


@job_task(jobs.SIGN_CLIENT_CRL)
def sign_client_crl(run: Run) -> str:
    """Sign the revocation lists of client certificates that are due."""
    made = crls.sign_due(current(), actor=run.actor)
    return (
        f"{made} revocation list{'' if made == 1 else 's'} signed." if made else "Every revocation list is up to date."
    )


@job_task(jobs.LOOK_AT_CLIENT_CRLS)
def look_at_client_crls(_run: Run) -> str:
    """Queue the signing of revocation lists that are due."""
    return crls.start_due(current())


@job_task(jobs.EXPORT_CLIENTS)
def export_clients(run: Run) -> str:
    """Write the clients that a filter takes to a CSV file."""
    return exporting.export(run)
