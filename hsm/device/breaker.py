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
    """Counts failures in a row for each key. After the pause one call is let through, and its outcome decides.

    `limit` failures open it, for `pause_s(failures)` seconds.
    """

    def __init__(
        self,
        clock: Callable[[], float] = time.monotonic,
        *,
        limit: int = FAILURES,
        pause_s: Callable[[int], float] = lambda _failures: PAUSE_S,
    ) -> None:
        self._clock = clock
        self._limit = limit
        self._pause_s = pause_s
        self._states: dict[Hashable, _State] = {}

    def wait_s(self, key: Hashable) -> float:
        """Return how long the key is still left alone; 0 lets the call through."""
        state = self._states.get(key)
        if state is None or state.failures < self._limit:
            return 0.0
        return max(0.0, state.closed_until - self._clock())

    def is_open(self, key: Hashable) -> bool:
        """Say whether the key has failed too often, and has not worked since."""
        state = self._states.get(key)
        return state is not None and state.failures >= self._limit

    def failed(self, key: Hashable) -> None:
        """Count a failure of the device (not of the caller, not a refused PIN)."""
        state = self._states.setdefault(key, _State())
        state.failures += 1
        if state.failures >= self._limit:
            state.closed_until = self._clock() + self._pause_s(state.failures)

    def worked(self, key: Hashable) -> None:
        """Forget the failures."""
        self._states.pop(key, None)
