"""Run one job in a process of its own that is killed -9 at a chosen point.

    python -m tests.keys.killed JOB_ID module:attribute before|after

`before` kills when the function is called, `after` when it has returned. Exits 0 when the point was never reached.
"""

import os
import signal
import sys
from importlib import import_module
from typing import Any


def main(job_id: str, point: str, when: str) -> None:
    """Set the trap and run the job's task, as a worker does."""
    import django

    django.setup()
    from console.celery import app
    from console.jobs.models import Job

    app.loader.import_default_modules()
    set_trap(point, when)
    job = Job.objects.get(pk=job_id)
    app.tasks[job.kind.task](job_id)


def set_trap(point: str, when: str) -> None:
    """Replace a function by one that kills this process."""
    module_name, path = point.split(":")
    *parents, name = path.split(".")
    holder: Any = import_module(module_name)
    for parent in parents:
        holder = getattr(holder, parent)
    original = getattr(holder, name)

    def trapped(*args: Any, **kwargs: Any) -> Any:
        if when == "after":
            original(*args, **kwargs)
        os.kill(os.getpid(), signal.SIGKILL)

    setattr(holder, name, trapped)


if __name__ == "__main__":
    main(*sys.argv[1:])
