"""gunicorn's gthread worker, made fit to stand in the open without a proxy before it.

A client that is waited for holds no thread, and no place once these become few: one that says nothing, one that has
sent part of a request (`serving.arriving`), and one that is slow to close. One site holds not all the threads, however
much it asks.
"""

import math
import socket
import ssl
import time
from bisect import insort
from collections import Counter, defaultdict, deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from selectors import EVENT_READ
from typing import Any

from gunicorn import http, sock
from gunicorn.workers import gthread

from serving import arriving
from serving.arriving import Arriving
from serving.process import allow_files
from serving.sites import site

OTHER_FILES = 200
"""What a process has open besides: its log, its threads' connections to the database (SQLite: three files each)."""
LINGER_S = 2.0
LINGER_BYTES = 64 * 1024


class OpenWorker(gthread.ThreadWorker):  # type: ignore[misc]  # gunicorn has no types
    """One process; give it connections of `serving.patience`, which do not wait for ever.

    `most_of_site`: so many threads at once for what comes from one site (`serving.sites`); None for all of them. All
    below but `handle`, with what it calls, runs in the one thread that watches the connections.
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
        # What gunicorn reads before it says that a head is too long: where such a head ends is not waited for.
        fields, of_bytes = self.cfg.limit_request_fields, self.cfg.limit_request_field_size
        self._head_bytes: int = self.cfg.limit_request_line + fields * (of_bytes + 2) + 8
        self._ends_at = math.inf
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
        """Wait until a new connection says something; give one that has to a thread, if one is left for its site."""
        if conn.timeout is None:
            conn.timeout = time.monotonic() + arriving.REQUEST_S
            self._put_aside(conn, EVENT_READ, self.enqueue_req)
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

    def _put_aside(self, conn: Any, events: int, then: Callable[[Any], None]) -> None:
        """Call `then` when the client has done something, without a thread until then; `murder_pending` ends it."""
        conn.sock.settimeout(0)
        insort(self.pending_conns, conn, key=lambda one: one.timeout)  # `murder_pending` looks at the first ones
        self.poller.register(conn.sock, events, partial(self._go_on, conn, then))

    def _go_on(self, conn: Any, then: Callable[[Any], None], _client: object) -> None:
        self.poller.unregister(conn.sock)
        self.pending_conns.remove(conn)
        then(conn)

    def murder_pending(self) -> None:
        """Wait no longer for those whose time is over, nor, when places become few, for whom it waits longest.

        A client speaks as soon as it is connected, and all at once, so it is not among these.
        """
        now, most = time.monotonic(), self.worker_connections * 9 // 10
        while self.pending_conns and (self.nr_conns > most or self.pending_conns[0].timeout <= now):
            conn = self.pending_conns.popleft()
            self.poller.unregister(conn.sock)
            if conn.parser is None or self.nr_conns > most:
                self._drop(conn)
            else:
                conn.arriving.is_late = True  # what there is gets the answer that it deserves, at once
                self.enqueue_req(conn)

    def _drop(self, conn: Any) -> None:
        self.nr_conns -= 1
        conn.close()

    def handle(self, conn: Any) -> Any:
        """Take a turn at a request, and answer it if it is whole."""
        try:
            if not conn.initialized:
                self._open(conn)
            if not conn.arriving.turn():
                return gthread._DEFER  # noqa: SLF001 - what gunicorn returns for a client that it waits for
        except OSError as error:
            if isinstance(error, ssl.SSLError) and not isinstance(error, ssl.SSLEOFError):
                self.log.warning("TLS with %s failed: %s", conn.client[0], error)
            return False
        except Exception:
            self.log.exception("A connection could not be opened.")
            return False
        is_kept = super().handle(conn)
        if is_kept:
            conn.arriving.next()
        return is_kept

    def _open(self, conn: Any) -> None:
        """Do what `conn.init` would do, but for the handshake, which would wait."""
        conn.initialized = True
        conn.sock = sock.ssl_wrap_socket(conn.sock, self.cfg)
        conn.arriving = Arriving(conn.sock, head_bytes=self._head_bytes)
        conn.parser = http.get_parser(self.cfg, conn.arriving, conn.client)

    def handle_request(self, req: Any, conn: Any) -> Any:
        """Handle a request; if its client wanted to be told to continue, it was told."""
        req._expected_100_continue = False  # noqa: SLF001 - gunicorn would say it a second time
        return super().handle_request(req, conn)

    def finish_request(self, conn: Any, fs: Future[Any]) -> None:
        """Wait for the rest of a request or for the next one, or close."""
        outcome = not fs.cancelled() and fs.exception() is None and fs.result()
        if outcome is gthread._DEFER:  # noqa: SLF001
            conn.timeout = min(conn.arriving.until, self._ends_at)
            self._put_aside(conn, conn.arriving.wants, self.enqueue_req)
        elif not outcome:
            self._linger(conn)
        elif conn.arriving.has_begun():
            self.enqueue_req(conn)
        else:
            super().finish_request(conn, fs)

    def _linger(self, conn: Any) -> None:
        """Close after the client: what it sends and nobody reads would cut the answer off (RFC 9112 §9.6)."""
        conn.parser = None
        conn.timeout = time.monotonic() + LINGER_S
        conn.lingers_for = LINGER_BYTES
        try:
            conn.sock.shutdown(socket.SHUT_WR)
            conn.sock.settimeout(0)
        except OSError:
            self._drop(conn)
        else:
            self._drain(conn)

    def _drain(self, conn: Any) -> None:
        try:
            while conn.lingers_for > 0 and (unread := len(conn.sock.recv(LINGER_BYTES))):
                conn.lingers_for -= unread
        except BlockingIOError:
            self._put_aside(conn, EVENT_READ, self._drain)
        except OSError:
            self._drop(conn)
        else:
            self._drop(conn)

    def _cap_keepalive(self, deadline: float) -> None:
        """At the end, give no connection that is waited for more time than kept ones."""
        super()._cap_keepalive(deadline)
        self._ends_at = deadline
        for conn in self.pending_conns:
            conn.timeout = min(conn.timeout, deadline)

    def _accept_waiting(self, listener: Any) -> None:
        taken = -1
        while taken != self.nr_conns:
            taken = self.nr_conns
            self.accept(listener)
