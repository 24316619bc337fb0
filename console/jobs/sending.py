"""Hand a job's id to the broker, after the commit that made the job."""

import logging

from django.db import transaction
from kombu.exceptions import OperationalError

from console.celery import app
from console.jobs.models import Job
from console.lib import clock

logger = logging.getLogger(__name__)


def send_after_commit(job: Job) -> None:
    """Send when the transaction has committed; a lost message is sent again by the sweeper."""
    transaction.on_commit(lambda: send(job))


def send(job: Job) -> None:
    """Send the id to the queue of the job's server. A broker that is away delays the job, no more."""
    Job.objects.filter(pk=job.pk).update(sent_at=clock.now())
    try:
        app.send_task(job.kind.task, args=[str(job.pk)], queue=job.server.queue, ignore_result=True, retry=False)
    except (OperationalError, OSError):
        logger.warning("The broker cannot be reached; job %s waits for the next tick.", job.pk)
