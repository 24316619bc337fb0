"""When a client should come again: within 30 to 90 s at random, later while this process has more than it can do."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

SOONEST_S, LATEST_S = 30, 90
COMFORTABLE_RATE = 400
"""Registrations a second that one process answers without others waiting (`./run bench registrations`)."""
LONGEST_S = 900


@dataclass
class Pace:
    """Measures the rate over whole seconds. Safe between threads."""

    now: Callable[[], float] = time.monotonic
    _second: int = 0
    _count: int = 0
    _rate: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def next_s(self, randbelow: Callable[[int], int]) -> int:
        """Count one registration, and return the seconds until its client's next one."""
        with self._lock:
            second = int(self.now())
            if second != self._second:
                self._rate = self._count if second == self._second + 1 else 0
                self._second, self._count = second, 0
            self._count += 1
            busy = max(self._rate, self._count) / COMFORTABLE_RATE
        wait_s = SOONEST_S + randbelow(LATEST_S - SOONEST_S + 1)
        return min(LONGEST_S, int(wait_s * max(1.0, busy)))


PACE = Pace()
