"""How many clients use TLS and how many do not, as of the last count: no page counts a million rows."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Self

from trust.clients.counting import Numbers
from trust.clients.listing import PLAIN, REGISTERED, TLS

FRESH = timedelta(minutes=5)
"""The count is made each minute: an older one says that the worker is not there."""


@dataclass(frozen=True)
class Share:
    """One part of the registered clients; `percent` is None while there is none."""

    key: str
    label: str
    number: int
    percent: float | None


@dataclass(frozen=True)
class Shares:
    """Of the clients that are not revoked and have registered; `counted_at` is None before the first count."""

    parts: tuple[Share, Share]
    total: int
    counted_at: datetime | None
    stale: bool

    @classmethod
    def of(cls, counted: Numbers, now: datetime) -> Self:
        """Return the shares of a count."""
        tls, plain = counted.of("clients.tls"), counted.of("clients.plain")
        at = counted.counted_at
        with_tls = round(100 * tls / (tls + plain), 1) if tls + plain else None
        # One of a million without TLS must not read as none: 100 % and 0 % are for all and nobody.
        if with_tls is not None and tls and plain:
            with_tls = min(99.9, max(0.1, with_tls))
        without = None if with_tls is None else round(100 - with_tls, 1)
        stale = at is not None and now - at > FRESH
        words = dict(REGISTERED)
        parts = (Share(TLS, words[TLS], tls, with_tls), Share(PLAIN, words[PLAIN], plain, without))
        return cls(parts, counted.of("clients"), at, stale)
