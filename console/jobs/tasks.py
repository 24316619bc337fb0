"""Celery tasks of this app: the tick, and tidying."""

from django.conf import settings

from console.celery import app
from console.jobs import sweeping
from console.jobs.jobs import TIDY
from console.jobs.running import Run, job_task
from console.lib import clock
from console.servers.models import Server


@app.task(name="jobs.tick", time_limit=30, ignore_result=True)
def tick() -> None:
    """Do one round of `sweeping.tick` for this server, once it is set up."""
    if server := Server.objects.filter(fqdn=settings.SERVER_NAME).first():
        sweeping.tick(server)


@job_task(TIDY)
def tidy(_run: Run) -> str:
    """Delete jobs that ended long ago."""
    return f"{sweeping.tidy(clock.now())} jobs deleted."
