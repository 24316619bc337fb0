"""The gateway's worker: the health ports have threads of their own.

So a load balancer gets its answer while every other thread waits for the HSM.
"""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

from serving.worker import OpenWorker

HEALTH_THREADS = 4


class GatewayWorker(OpenWorker):
    """One process; `health_ports` is set before it is started."""

    health_ports: tuple[int, ...] = ()

    def init_process(self) -> None:
        """Run until the end."""
        self.health_pool = ThreadPoolExecutor(HEALTH_THREADS, thread_name_prefix="health")
        super().init_process()

    def pool_for(self, conn: Any) -> ThreadPoolExecutor:
        """Return the threads of the port that the connection came to."""
        return self.health_pool if conn.server[1] in self.health_ports else super().pool_for(conn)
