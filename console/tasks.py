"""Celery tasks of the top layer."""

import hashlib

from django.db import transaction

from console import support
from console.activity import log
from console.jobs.running import Run, job_task


@job_task(support.BUNDLE)
def bundle(run: Run) -> str:
    """Make the support bundle."""
    path = support.BUNDLES.path_of(run.job.pk)
    names = support.write(path)
    with path.open("rb") as done:
        digest = hashlib.file_digest(done, "sha256").hexdigest()
    run.result = {"files": names, "size_bytes": path.stat().st_size, "sha256": digest}
    with transaction.atomic():
        log.append(support.MADE, run.job.subject, actor=run.actor, details=run.result)
    return f"{len(names)} files in the bundle."
