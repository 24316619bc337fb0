"""gunicorn's gthread worker, made fit to stand in the open without a proxy before it.

A connection that says nothing holds no thread; a lingering close happens in the thread of its connection instead of
the loop that accepts all of them.
"""

from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from typing import Any

from gunicorn.workers import gthread


class OpenWorker(gthread.ThreadWorker):  # type: ignore[misc]  # gunicorn has no types
    """One process; give it connections of `serving.patience`, which do not wait for ever."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        # By itself gunicorn would leave newcomers one place for each thread: kept connections that are silent have
        # all others. Beyond half of the places an answer says that the connection ends with it.
        self.max_keepalived = self.cfg.worker_connections // 2

    def set_accept_enabled(self, enabled: bool) -> None:
        """Take connections or not; at the end answer those that wait, then close the ports.

        gunicorn keeps them open until its last request is done: whoever connected meanwhile would wait for nothing.
        """
        super().set_accept_enabled(enabled)
        if not enabled and not self.alive:
            for listener in self.sockets:
                self._accept_waiting(listener)
                listener.close()

    def pool_for(self, conn: Any) -> ThreadPoolExecutor:  # noqa: ARG002 - for those that have several
        """Return the threads that serve a connection."""
        pool: ThreadPoolExecutor = self.tpool
        return pool

    def enqueue_req(self, conn: Any) -> None:
        """Give the connection to a thread once there is something to read."""
        if self.alive and not conn.initialized and not conn.data_ready:
            silent: Future[object] = Future()
            silent.set_result(gthread._DEFER)  # noqa: SLF001 - what handle() returns for a silent client, 5 s later
            super().finish_request(conn, silent)
            return
        work = self.pool_for(conn).submit(self.handle, conn)
        work.add_done_callback(lambda done: self.method_queue.defer(self.finish_request, conn, done))

    def handle(self, conn: Any) -> Any:
        """Handle one request, and close the connection here when that was the last one."""
        outcome = super().handle(conn)
        if not outcome:
            with suppress(OSError):
                conn.close(graceful=True)
        return outcome

    def finish_request(self, conn: Any, fs: Future[Any]) -> None:
        """Keep the connection, or count one less: `handle` has closed it."""
        if not fs.cancelled() and fs.exception() is None and not fs.result():
            self.nr_conns -= 1
        else:
            super().finish_request(conn, fs)

    def _cap_keepalive(self, deadline: float) -> None:
        """At the end, give silent connections no more time than kept ones."""
        super()._cap_keepalive(deadline)
        for conn in self.pending_conns:
            conn.timeout = min(conn.timeout, deadline)

    def _accept_waiting(self, listener: Any) -> None:
        taken = -1
        while taken != self.nr_conns:
            taken = self.nr_conns
            self.accept(listener)
