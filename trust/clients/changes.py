"""How often a client may change its row: whoever reaches the port can send a registration that proves nothing.

What is over the limit is answered all the same, and counts as a sighting, which is written in batches. It is no news
lost: the client says the same with its next registration. A client that proves its name is limited by itself alone: one
that is broken must not keep the disk busy for all the others.
"""

from collections.abc import Callable
from time import monotonic

from serving.sites import site
from trust.clients.windows import Limit
from trust.models.clients import Client

MOST_OF_ROW = 5
"""In five minutes. An honest one changes once: with an update, or as it falls back to a registration without TLS."""
MOST_OF_PROVEN = 30
"""In five minutes, too: three times as often as a client registers at all."""
MOST_OF_SITE = 600
"""In a minute, in one process: many clients behind one address that are updated at once are through within minutes."""
MOST_TOGETHER = 6_000
ROW_S, SITE_S = 300, 60


class Changes:
    """Counts what is written. Safe between threads."""

    def __init__(self, now: Callable[[], float] = monotonic) -> None:
        self._rows = Limit(MOST_OF_ROW, ROW_S, now=now)
        self._proven = Limit(MOST_OF_PROVEN, ROW_S, now=now)
        self._sites = Limit(MOST_OF_SITE, SITE_S, MOST_TOGETHER, now)

    def may_write(self, client: Client, address: str) -> bool:
        """Whether what a client says may be written now; counts it."""
        if client.authenticated:
            return self._proven.passes(str(client.pk))
        # The row first: what it refuses does not count for its neighbours.
        return self._rows.passes(str(client.pk)) and self._sites.passes(site(address))


CHANGES = Changes()
