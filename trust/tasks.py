"""Celery tasks of this app: each does the work of one job through one domain call."""

from console.jobs.running import Run, job_task
from console.servers.current import current
from trust import jobs
from trust.clients import counting
from trust.publishing import publishing
from trust.questions import signing


@job_task(jobs.PUBLISH)
def publish(_run: Run) -> str:
    """Look for documents that are due to be signed."""
    return publishing.start_due(current())


@job_task(jobs.SIGN_DOCUMENTS)
def sign_documents(run: Run) -> str:
    """Sign the documents that are due."""
    made = publishing.sign_due(current(), actor=run.actor, progress=run.progress)
    signed = ", ".join(f"{document.get_kind_display()} {document.sequence}" for document in made)
    return f"Signed: {signed}." if signed else "Every document is up to date."


@job_task(jobs.SIGN_QUESTION)
def sign_question(run: Run) -> str:
    """Sign the question that was asked; clients get it as they register."""
    question = signing.sign(run.job.subject_id, actor=run.actor)
    return f"Signed. Clients that register until {question.closes_at:%H:%M} UTC are asked."


@job_task(jobs.COUNT)
def count(_run: Run) -> str:
    """Count clients."""
    return f"{counting.count(current()):,} clients."
