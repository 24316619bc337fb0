"""Gunicorn's settings for the listener, for ./run and for deploy/: TLS by `trust.listening.doors`, or none.

KEYSTEAD_LISTENER_TLS=0 makes it the listener without TLS, which `trust.listening.plain` starts while a flag allows it.
"""

import os
from typing import TYPE_CHECKING, Any

from serving.process import keep_memory_private

if TYPE_CHECKING:
    from serving.worker import OpenWorker

TLS = os.environ.get("KEYSTEAD_LISTENER_TLS", "1") == "1"
DEFAULT_BIND = "127.0.0.1:17472" if TLS else "127.0.0.1:17473"

bind = [address.strip() for address in os.environ.get("KEYSTEAD_LISTENER_BIND", DEFAULT_BIND).split(",")]
# Read by nobody: it makes gunicorn ask `ssl_context` for each connection.
certfile = os.devnull
worker_class = "trust.listening.worker.ListenerWorker"
workers = int(os.environ.get("KEYSTEAD_LISTENER_PROCESSES", "2")) if TLS else 1
threads = 16
MOST_OF_SITE = 12
"""Threads for what comes from one address at once: the others are for everybody else, however much it asks."""
worker_connections = 1000
backlog = 1024
keepalive = 95  # a client registers every 30 to 90 s, and keeps its connection for that
# One import of Django instead of one for each process; no connection and no key is opened before the fork.
preload_app = True
# Without it gunicorn opens a socket in the home folder, through which it can be commanded.
control_socket_disable = True
graceful_timeout = 10
timeout = 60
limit_request_line = 2048
# Half a head is kept in memory, of each connection: up to 54 kB. No client of ours sends 1 kB.
limit_request_fields = 50
limit_request_field_size = 1022
forwarded_allow_ips = ""
proc_name = "keystead-listener" if TLS else "keystead-listener-plain"
worker_tmp_dir = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None  # noqa: S108 - gunicorn's heartbeat files, made safely by it
accesslog = None
errorlog = "-"
_doors: dict[str, Any] = {}


def ssl_context(_config: object, _default: object) -> Any:
    """Return what wraps each connection, made once in each process: it needs Django."""
    if not _doors:
        from trust.listening.doors import Doors, PlainDoors

        _doors.setdefault("doors", Doors() if TLS else PlainDoors())
    return _doors["doors"]


def post_fork(_server: object, worker: "OpenWorker") -> None:
    """In each process that serves: it holds keys, and strangers reach it."""
    keep_memory_private()
    worker.most_of_site = MOST_OF_SITE


def post_worker_init(_worker: object) -> None:
    """Start what writes in batches."""
    from trust.clients.sightings import SIGHTINGS

    SIGHTINGS.start()


def worker_exit(_server: object, _worker: object) -> None:
    """Write what has not been written yet."""
    from trust.clients.sightings import SIGHTINGS

    SIGHTINGS.stop()
