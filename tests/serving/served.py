"""A program for tests: an OpenWorker with two threads and TLS on a socket that it is given. It echoes bodies.

`python -m tests.serving.served DESCRIPTOR FILE`, a PEM file with key and certificate. A body to /patience is the
seconds that a request has from then on.
"""

import os
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from gunicorn.app.base import BaseApplication

from serving import arriving
from serving.patience import PatientTlsSocket
from serving.tls import server_context
from serving.worker import OpenWorker

THREADS = 2


class Served(BaseApplication):  # type: ignore[misc]  # gunicorn has no types
    """One process that serves, and its parent."""

    def load_config(self) -> None:
        """Tell gunicorn what there is."""
        descriptor, file = sys.argv[1:]
        context = server_context(Path(file).read_bytes())
        context.sslsocket_class = PatientTlsSocket
        settings = {
            "bind": [f"fd://{descriptor}"],
            "certfile": os.devnull,
            "ssl_context": lambda _config, _default: context,
            "worker_class": OpenWorker,
            "threads": THREADS,
            "keepalive": 60,
            "limit_request_field_size": 100,
            "control_socket_disable": True,
        }
        for name, value in settings.items():
            self.cfg.set(name, value)

    def load(self) -> Callable[[dict[str, Any], Callable[..., object]], Iterable[bytes]]:
        """Return the application."""
        return answer


def answer(environ: dict[str, Any], start: Callable[..., object]) -> Iterable[bytes]:
    """Return the body, or say that it did not come."""
    try:
        status, body = "200 OK", environ["wsgi.input"].read()
    except OSError:
        status, body = "408 Request Timeout", b""
    if environ["PATH_INFO"] == "/patience":
        arriving.REQUEST_S = float(body)
    start(status, [("Content-Length", str(len(body)))])
    return [body]


if __name__ == "__main__":
    Served().run()
