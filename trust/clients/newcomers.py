"""Names that register for the first time and prove nothing: no server's name, and not without end from one address."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from console.lib.errors import RefusedError
from console.servers.models import Server
from trust.clients.registration_errors import TooManyError

MOST_A_MINUTE = 600
"""From one address, in one process: a subnet behind one address may start in the morning, a script may not go on."""
MOST_ADDRESSES = 10_000
LEGACY_PREFIX = "legacy."


@dataclass
class Newcomers:
    """Counts new names by address, anew each minute."""

    now: Callable[[], float] = time.monotonic
    _minute: float = 0.0
    _counts: dict[str, int] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def count(self, address: str) -> None:
        """Count one more; raises TooManyError."""
        with self._lock:
            now = self.now()
            if now - self._minute >= 60 or len(self._counts) > MOST_ADDRESSES:
                self._minute, self._counts = now, {}
            self._counts[address] = self._counts.get(address, 0) + 1
            if self._counts[address] > MOST_A_MINUTE:
                raise TooManyError("Too many new names from this address. Try again later.", code="too-many")


_newcomers = Newcomers()


def check(name: str, address: str) -> None:
    """Raise RefusedError or TooManyError for a name that may not have a row of its own now."""
    if Server.objects.filter(fqdn__in=(name, name.removeprefix(LEGACY_PREFIX))).exists():
        raise RefusedError("This is the name of a server.", code="reserved-name")
    _newcomers.count(address)
