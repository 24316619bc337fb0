"""The worker that stands in the open."""

from gunicorn.config import Config
from gunicorn.glogging import Logger

from serving.worker import OpenWorker


def test_kept_connections_leave_half_of_the_places_to_newcomers() -> None:
    config = Config()
    config.set("worker_connections", 1000)
    worker = OpenWorker(1, 1, [], None, 60, config, Logger(config))
    worker.tmp.close()
    assert worker.max_keepalived == 500
