"""From a committed job to its committed end, in a real worker behind a real broker; the job itself does nothing."""

from bench import stage
from bench.figures import p50, p95, times_ms

ROUNDS = 200
LIMITS = {"round trip, p95 ms": 150}


def measure() -> dict[str, float]:
    """Return median and p95 over jobs one after the other."""
    with stage.console() as folder, stage.workers(folder, "bench.empty_job") as workers:
        from bench.empty_job import KIND
        from console.jobs import queue
        from console.jobs.models import FINISHED, Job
        from console.lib.actor import Actor
        from tests.fixtures.processes import wait_for

        workers.worker()

        def round_trip() -> None:
            job = queue.enqueue(KIND, subject=workers.server.subject, actor=Actor.system(), server=workers.server)
            wait_for(Job.objects.filter(pk=job.pk, state__in=FINISHED).exists, what="the job's end", every_s=0.001)

        taken = times_ms(round_trip, ROUNDS, warm_up=10)
    return {"round trip, p50 ms": p50(taken), "round trip, p95 ms": p95(taken)}
