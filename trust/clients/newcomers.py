"""Names that register for the first time and prove nothing: no server's name, and not without end from one address."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from console.lib.errors import RefusedError
from console.servers.models import Server
from trust.clients.guesses import origin
from trust.clients.registration_errors import TooManyError

MOST_A_MINUTE, MOST_A_DAY = 600, 20_000
"""From one site, in one process: a subnet behind one address may start in the morning, a script may not go on."""
MOST_TOGETHER = 6_000
"""In a minute, from everywhere: who has many addresses does not fill the database faster than that."""
MOST_SITES = 10_000
MINUTE_S, DAY_S = 60, 24 * 3600
LEGACY_PREFIX = "legacy."


@dataclass
class _Window:
    """Counts by site, anew each `length_s`."""

    length_s: float
    began: float = 0.0
    total: int = 0
    of: dict[str, int] = field(default_factory=dict)

    def count(self, site: str, now: float) -> int:
        if now - self.began >= self.length_s:
            self.began, self.total, self.of = now, 0, {}
        elif len(self.of) > MOST_SITES:
            self.of = {}
        self.total += 1
        self.of[site] = self.of.get(site, 0) + 1
        return self.of[site]


@dataclass
class Newcomers:
    """Counts new names by the site that they come from. Safe between threads."""

    now: Callable[[], float] = time.monotonic
    _minute: _Window = field(default_factory=lambda: _Window(MINUTE_S))
    _day: _Window = field(default_factory=lambda: _Window(DAY_S))
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def count(self, address: str) -> None:
        """Count one more; raises TooManyError."""
        site = origin(address)
        with self._lock:
            now = self.now()
            # The shorter one first: what it refuses does not count for the day.
            if self._minute.count(site, now) > MOST_A_MINUTE or self._minute.total > MOST_TOGETHER:
                raise TooManyError("Too many new names at once. Try again later.", code="too-many")
            if self._day.count(site, now) > MOST_A_DAY:
                raise TooManyError("Too many new names from this address today. Try again later.", code="too-many")


_newcomers = Newcomers()


def check(name: str, address: str) -> None:
    """Raise RefusedError or TooManyError for a name that may not have a row of its own now."""
    if Server.objects.filter(fqdn__in=(name, name.removeprefix(LEGACY_PREFIX))).exists():
        raise RefusedError("This is the name of a server.", code="reserved-name")
    _newcomers.count(address)
