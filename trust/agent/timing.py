"""When a client does what: pure, the moment is passed in. `jitter(low, high)` returns a number between."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

Jitter = Callable[[float, float], float]

NEVER = datetime(9999, 1, 1, tzinfo=UTC)
NORMAL_S = (30, 90)
FULL_S = (2 * 3600, 6 * 3600)
FIRST_WAIT_S = 5.0
LONGEST_WAIT_S = 600.0
LONGEST_HINT_S = 6 * 3600
BETWEEN_KEYS = timedelta(hours=1)
"""ROT-07: however the settings stand, a key is not renewed more than once an hour."""


@dataclass
class Track:
    """When one kind of work is due. Failures put it off: 5 s, 10, 20, … up to 10 minutes, each between half and whole.

    So a server that comes back is not met by everybody at once.
    """

    due: datetime
    failures: int = 0

    def succeeded(self, due: datetime) -> None:
        """Go on at the usual time."""
        self.failures, self.due = 0, due

    def failed(self, now: datetime, jitter: Jitter, at_least_s: float | None = None) -> None:
        """Come again later; what the server asks for is the least."""
        wait_s = min(FIRST_WAIT_S * 2 ** min(self.failures, 20), LONGEST_WAIT_S)
        self.failures += 1
        if at_least_s is None:
            self.due = now + timedelta(seconds=jitter(wait_s / 2, wait_s))
        else:
            self.due = now + timedelta(seconds=jitter(at_least_s, at_least_s * 1.2 + 1))


def next_normal(now: datetime, hint_s: int, jitter: Jitter) -> datetime:
    """Return when to register again: within 30 to 90 s, near the server's hint; later if the server is busy."""
    low, high = NORMAL_S
    hint_s = max(low, min(hint_s, LONGEST_HINT_S))
    wait_s = jitter(0.8 * hint_s, 1.2 * hint_s)
    return now + timedelta(seconds=max(low, min(wait_s, high) if hint_s <= high else wait_s))


def next_full(now: datetime, jitter: Jitter) -> datetime:
    """Return when to register anew: in 2 to 6 hours."""
    return now + timedelta(seconds=jitter(*FULL_S))


def renewal_at(not_after: datetime, certified_at: datetime, window_hours: int) -> datetime:
    """Return when the successor of a key is due: the window before its end (ROT-02)."""
    return min(max(not_after - timedelta(hours=window_hours), certified_at + BETWEEN_KEYS), not_after)


def tls_retry_s(series: int, first_s: int, longest_s: int) -> int:
    """Return how long to wait for TLS after so many failed series (from 1): it doubles after each (TLS-31, TLS-32)."""
    return min(first_s << min(series - 1, 40), longest_s)
