"""Names that register for the first time and prove nothing: no server's name, and not without end from one address."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from console.lib.errors import RefusedError
from console.servers.models import Server
from serving.sites import site
from trust.clients.registration_errors import TooManyError
from trust.clients.windows import Window

MOST_A_MINUTE, MOST_A_DAY = 600, 20_000
"""From one site, in one process: a subnet behind one address may start in the morning, a script may not go on."""
MOST_TOGETHER = 6_000
"""In a minute, from everywhere: who has many addresses does not fill the database faster than that."""
MINUTE_S, DAY_S = 60, 24 * 3600
LEGACY_PREFIX = "legacy."


@dataclass
class Newcomers:
    """Counts new names by the site that they come from. Safe between threads."""

    now: Callable[[], float] = time.monotonic
    _minute: Window = field(default_factory=lambda: Window(MINUTE_S))
    _day: Window = field(default_factory=lambda: Window(DAY_S))
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def count(self, address: str) -> None:
        """Count one more; raises TooManyError."""
        here = site(address)
        with self._lock:
            now = self.now()
            # The shorter one first: what it refuses does not count for the day.
            if not self._minute.passes(here, now, MOST_A_MINUTE, MOST_TOGETHER):
                raise TooManyError("Too many new names at once. Try again later.", code="too-many")
            if not self._day.passes(here, now, MOST_A_DAY):
                raise TooManyError("Too many new names from this address today. Try again later.", code="too-many")


_newcomers = Newcomers()


def check(name: str, address: str) -> None:
    """Raise RefusedError or TooManyError for a name that may not have a row of its own now."""
    if Server.objects.filter(fqdn__in=(name, name.removeprefix(LEGACY_PREFIX))).exists():
        raise RefusedError("This is the name of a server.", code="reserved-name")
    _newcomers.count(address)
