"""A value from the database that may be a moment old: asked for by one thread at a time, and by none while it is fresh.

While one thread asks, the others go on with what there was: a database that takes seconds would otherwise hold every
thread of the process, one after the other, for what hardly ever changes.
"""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from console.lib.errors import UnavailableError

Key = TypeVar("Key")
Value = TypeVar("Value")

USABLE_S = 5.0
"""How old a value may get while somebody asks for a newer one, and how long one waits where there is none."""


@dataclass(frozen=True)
class _Kept(Generic[Key, Value]):
    key: Key
    at: float
    value: Value


class Fresh(Generic[Key, Value]):
    """The last value that `read(key)` returned, and when it was asked for. Safe between threads."""

    def __init__(self, read: Callable[[Key], Value], now: Callable[[], float] = time.monotonic) -> None:
        self._read = read
        self._now = now
        self._kept: _Kept[Key, Value] | None = None
        self._reading = threading.Lock()

    def get(self, key: Key, fresh_s: float) -> Value:
        """Return the value as it was within `fresh_s`, or within USABLE_S while another thread reads it.

        Raises what reading raises, and UnavailableError where there is none and another thread waits for the database.
        """
        if (kept := self._within(key, fresh_s)) is not None:
            return kept.value
        former = self._within(key, USABLE_S)
        if not self._reading.acquire(timeout=0 if former else USABLE_S):
            if former is None:
                raise UnavailableError("The database does not answer in time. Try again in a moment.", code="busy")
            return former.value
        try:
            kept = self._within(key, fresh_s)  # whoever was waited for has just read it
            if kept is None:
                began = self._now()
                self._kept = kept = _Kept(key, began, self._read(key))
            return kept.value
        finally:
            self._reading.release()

    def forget(self) -> None:
        """Have the next one read anew."""
        self._kept = None

    def _within(self, key: Key, seconds: float) -> _Kept[Key, Value] | None:
        kept = self._kept
        return kept if kept is not None and kept.key == key and self._now() - kept.at < seconds else None
