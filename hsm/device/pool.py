"""The module hosts of this worker process, each kept for (module, environment, token, PIN version)."""

import atexit
import os
import threading
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager

from hsm.device.breaker import Breaker
from hsm.device.codes import error_for
from hsm.device.seat import HostKey, Seat

MAX_SEATS = 8
MAX_REJECTIONS = 1000


class Pool:
    """The seats, the circuit breaker, and the PINs that tokens refused."""

    def __init__(self) -> None:
        self.breaker = Breaker()
        self._lock = threading.Lock()
        self._seats: OrderedDict[HostKey, Seat] = OrderedDict()
        self._rejected: OrderedDict[HostKey, None] = OrderedDict()

    @contextmanager
    def lease(self, key: HostKey, deadline_s: float) -> Iterator[Seat]:
        """Hold the seat of a host. The same thread may hold it twice; another one waits, at most `deadline_s`."""
        seat = self._seat(key)
        if not seat.lock.acquire(timeout=deadline_s):
            raise error_for("TOKEN_BUSY")
        seat.depth += 1
        try:
            yield seat
        finally:
            seat.depth -= 1
            seat.lock.release()

    def reject(self, key: HostKey) -> None:
        """Remember that the token refused this PIN version."""
        with self._lock:
            self._rejected[key] = None
            while len(self._rejected) > MAX_REJECTIONS:
                self._rejected.popitem(last=False)

    def was_rejected(self, key: HostKey) -> bool:
        """Say whether the token refused this PIN version before."""
        return key in self._rejected

    def seat(self, key: HostKey) -> Seat | None:
        """Return the seat of a host, if there is one."""
        with self._lock:
            return self._seats.get(key)

    def seats(self) -> list[Seat]:
        """Return every seat, whether a host sits there or not."""
        with self._lock:
            return list(self._seats.values())

    def close_all(self) -> None:
        """End every host, and forget the circuit breaker and the refused PINs."""
        with self._lock:
            seats = list(self._seats.values())
            self._seats.clear()
            self._rejected.clear()
            self.breaker = Breaker()
        for seat in seats:
            seat.drop()

    def abandon_all(self) -> None:
        """In a forked child: start empty, and leave the parent's hosts to the parent."""
        seats = list(self._seats.values())
        self.__init__()  # type: ignore[misc]  # the lock may have been held by a thread that does not exist here
        for seat in seats:
            seat.abandon()

    def _seat(self, key: HostKey) -> Seat:
        with self._lock:
            seat = self._seats.get(key)
            if seat is None:
                seat = self._seats[key] = Seat(key, self.breaker)
            self._seats.move_to_end(key)
            idle = [other for other in self._seats.values() if other is not seat and not other.depth]
            surplus = idle[: max(0, len(self._seats) - MAX_SEATS)]
            for other in surplus:
                del self._seats[other.key]
        for other in surplus:
            other.drop()
        return seat


pool = Pool()
atexit.register(pool.close_all)
os.register_at_fork(after_in_child=pool.abandon_all)
