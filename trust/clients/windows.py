"""Counting in windows of time, in this process: what a few may do often, and one may not do without end."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

MOST_KEYS = 10_000


@dataclass
class Window:
    """Counts by key, anew each `length_s`. Not safe between threads by itself.

    More keys than MOST_KEYS begin anew as well, so that made-up ones do not fill the memory: `total` goes on.
    """

    length_s: float
    began: float = 0.0
    total: int = 0
    of: dict[str, int] = field(default_factory=dict)

    def passes(self, key: str, now: float, most: int, together: float = float("inf")) -> bool:
        """Count one more, at `now` in seconds, and tell whether it is within `most` of this key, and `together`.

        What is over the first does not count for the second: one key would use up what is for all.
        """
        if now - self.began >= self.length_s:
            self.began, self.total, self.of = now, 0, {}
        elif len(self.of) > MOST_KEYS:
            self.of = {}
        self.of[key] = self.of.get(key, 0) + 1
        if self.of[key] > most:
            return False
        self.total += 1
        return self.total <= together


@dataclass
class Limit:
    """Lets a key pass `most` times in `length_s`, and all keys `together`. Safe between threads."""

    most: int
    length_s: float
    together: float = float("inf")
    now: Callable[[], float] = time.monotonic
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _window: Window = field(init=False)

    def __post_init__(self) -> None:
        self._window = Window(self.length_s)

    def passes(self, key: str) -> bool:
        """Count one more of a key, and tell whether it is within the limit."""
        with self._lock:
            return self._window.passes(key, self.now(), self.most, self.together)
