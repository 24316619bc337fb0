"""A circuit breaker: a token that keeps failing is left alone for a while, so that jobs do not queue up behind it."""

import time
from collections.abc import Callable, Hashable
from dataclasses import dataclass

FAILURES = 3
PAUSE_S = 30.0


@dataclass
class _State:
    failures: int = 0
    closed_until: float = 0.0


class Breaker:
    """Counts failures in a row for each key. After the pause one call is let through, and its outcome decides."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._states: dict[Hashable, _State] = {}

    def wait_s(self, key: Hashable) -> float:
        """Return how long the key is still left alone; 0 lets the call through."""
        state = self._states.get(key)
        if state is None or state.failures < FAILURES:
            return 0.0
        return max(0.0, state.closed_until - self._clock())

    def failed(self, key: Hashable) -> None:
        """Count a failure of the device (not of the caller, not a refused PIN)."""
        state = self._states.setdefault(key, _State())
        state.failures += 1
        if state.failures >= FAILURES:
            state.closed_until = self._clock() + PAUSE_S

    def worked(self, key: Hashable) -> None:
        """Forget the failures."""
        self._states.pop(key, None)
