"""gunicorn's worker of the listeners: it notes how long a connection with a request waited for a thread."""

import threading
import time
from typing import Any

from serving.worker import OpenWorker


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
        """Note since when it waits for a thread."""
        if conn.timeout is None:
            conn.waited_s = 0.0
        conn.ready_at = time.monotonic()
        super().enqueue_req(conn)

    def handle(self, conn: Any) -> Any:
        """Note how long it waited, of all turns of the request: a slow client is no sign of a full listener."""
        conn.waited_s += time.monotonic() - conn.ready_at
        return super().handle(conn)

    def handle_request(self, req: Any, conn: Any) -> Any:
        """Tell the gate what it needs to know, then handle the request."""
        load.waited_s, conn.waited_s = conn.waited_s, 0.0
        load.is_stopping = not self.alive
        load.request = req
        with conn.sock.in_one_piece():
            return super().handle_request(req, conn)
