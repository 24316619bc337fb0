"""The worker that stands in the open."""

import resource
import subprocess
import sys

import pytest
from gunicorn.config import Config
from gunicorn.glogging import Logger

from serving.worker import OpenWorker

COUNT = """
import resource
from tests.serving.test_worker import made
print(made().worker_connections, *resource.getrlimit(resource.RLIMIT_NOFILE))
"""


def made() -> OpenWorker:
    config = Config()
    config.set("worker_connections", 1000)
    worker = OpenWorker(1, 1, [], None, 60, config, Logger(config))
    worker.tmp.close()
    return worker


@pytest.mark.parametrize(("most", "told"), [(4096, "1000 1200 4096"), (300, "100 300 300")])
def test_there_are_no_more_connections_than_files(most: int, told: str) -> None:
    """One too many would end the process: anybody can open a connection."""
    said = subprocess.run(
        (sys.executable, "-c", COUNT),
        stdout=subprocess.PIPE,
        check=True,
        text=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (256, most)),
    )
    assert said.stdout.strip() == told


def test_kept_connections_leave_half_of_the_places_to_newcomers() -> None:
    assert made().max_keepalived == 500
