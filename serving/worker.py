"""gunicorn's gthread worker, made fit to stand in the open without a proxy before it.

A connection that says nothing holds no thread, and no place once these become few; one site holds not all the threads,
however slow its requests are; a lingering close happens in the thread of its connection instead of the loop that
accepts all of them.
"""

import time
from collections import Counter, defaultdict, deque
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from typing import Any

from gunicorn.workers import gthread

from serving.patience import REQUEST_S
from serving.process import allow_files
from serving.sites import site

OTHER_FILES = 200
"""What a process has open besides: its log, its threads' connections to the database (SQLite: three files each)."""


class OpenWorker(gthread.ThreadWorker):  # type: ignore[misc]  # gunicorn has no types
    """One process; give it connections of `serving.patience`, which do not wait for ever.

    `most_of_site`: so many threads at once for what comes from one site (`serving.sites`); None for all of them. All
    below but `handle` runs in the one thread that watches the connections.
    """

    most_of_site: int | None = None

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        # A connection is a file. One too many would end the process, and all connections with it.
        files = allow_files(self.cfg.worker_connections + OTHER_FILES)
        self.worker_connections: int = max(1, files - OTHER_FILES)
        # By itself gunicorn would leave newcomers one place for each thread: kept connections that are silent have
        # all others. Beyond half of the places an answer says that the connection ends with it.
        self.max_keepalived = self.worker_connections // 2
        self._busy: Counter[str] = Counter()
        self._waiting: defaultdict[str, deque[Any]] = defaultdict(deque)

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
        """Give the connection to a thread once there is something to read, and one is left for its site."""
        if self.alive and not conn.initialized and not conn.data_ready:
            silent: Future[object] = Future()
            silent.set_result(gthread._DEFER)  # noqa: SLF001 - what handle() returns for a silent client, 5 s later
            super().finish_request(conn, silent)
            conn.timeout = time.monotonic() + REQUEST_S  # gunicorn gives it as long as to one that is kept
            return
        origin = site(str(conn.client[0]))
        if self.most_of_site is None or self._busy[origin] < self.most_of_site:
            self._start(conn, origin)
        elif len(self._waiting[origin]) < self.worker_connections // 2:
            self._waiting[origin].append(conn)
        else:
            self._drop(conn)

    def _start(self, conn: Any, origin: str) -> None:
        self._busy[origin] += 1
        work = self.pool_for(conn).submit(self.handle, conn)
        work.add_done_callback(lambda done: self.method_queue.defer(self._finish, conn, origin, done))

    def _finish(self, conn: Any, origin: str, done: Future[Any]) -> None:
        """Let the next one of the site begin, and do what gunicorn does with this one."""
        self._busy[origin] -= 1
        if waiting := self._waiting.get(origin):
            self._start(waiting.popleft(), origin)
        if not self._waiting.get(origin):
            self._waiting.pop(origin, None)
        if not self._busy[origin]:
            del self._busy[origin]
        self.finish_request(conn, done)

    def murder_pending(self) -> None:
        """Close silent connections whose time is over; when places become few, those that are silent longest as well.

        A client speaks as soon as it is connected, so it is not among these.
        """
        super().murder_pending()
        while self.pending_conns and self.nr_conns > self.worker_connections * 9 // 10:
            conn = self.pending_conns.popleft()
            self.poller.unregister(conn.sock)
            self._drop(conn)

    def _drop(self, conn: Any) -> None:
        self.nr_conns -= 1
        conn.close()

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
