"""gunicorn's worker of the listeners: it notes how long a connection with a request waited for a thread."""

import select
import ssl
import threading
import time
from typing import Any

from serving.worker import OpenWorker

LINGER_MS = 5
"""How long a thread that nobody else needs stays with a connection after an answer.

A client asks several things in a row (cacerts, csrattrs, simpleenroll, its first registration). The way back through
the loop that watches all connections costs as much as a good part of an answer: two turns of it, two changes of thread.
"""


class Load(threading.local):
    """What the gate asks about the request of this thread. Outside of gunicorn nothing ever waits or stops."""

    waited_s: float = 0.0
    is_stopping: bool = False
    request: Any = None

    def close_after(self) -> None:
        """Have the connection closed after the answer: gunicorn does not heed a header that says so."""
        if self.request is not None:
            self.request.force_close()


load = Load()


class ListenerWorker(OpenWorker):
    """One process."""

    def enqueue_req(self, conn: Any) -> None:
        """Note when there was something to read."""
        conn.ready_at = time.monotonic()
        super().enqueue_req(conn)

    def handle_request(self, req: Any, conn: Any) -> Any:
        """Tell the gate what it needs to know, then handle the request."""
        load.waited_s = conn.started_at - conn.ready_at
        load.is_stopping = not self.alive
        load.request = req
        with conn.sock.in_one_piece():
            return super().handle_request(req, conn)

    def handle(self, conn: Any) -> Any:
        """Answer, and go on with what the client asks next.

        It is noted when a thread took the connection up: a slow client is no sign of a full listener.
        """
        conn.started_at = time.monotonic()
        outcome = super().handle(conn)
        while outcome is True and self._goes_on(conn):
            conn.ready_at = conn.started_at = time.monotonic()
            outcome = super().handle(conn)
        return outcome

    def _goes_on(self, conn: Any) -> bool:
        """Tell whether the client asks again at once, while no other connection waits for a thread."""
        if not self.alive or not self.tpool._work_queue.empty():  # noqa: SLF001 - the pool does not tell otherwise
            return False
        if isinstance(conn.sock, ssl.SSLSocket) and conn.sock.pending():
            return True
        poller = select.poll()
        poller.register(conn.sock, select.POLLIN)
        return bool(poller.poll(LINGER_MS))
