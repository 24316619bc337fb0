"""Look after connections in the background, so that the pages know, and a connection that is back serves again.

Worker only. Housekeeping runs this every few seconds; a connection is looked at about once a minute, each at a moment
of its own, so that gateways are not asked by everybody at once.
"""

import time
from datetime import datetime, timedelta

from console.lib import clock
from console.servers.current import current
from hsm.connections import drafts
from hsm.connections.reaching import obstacle
from hsm.connections.testing import test
from hsm.models.groups import Connection

EVERY_S = 60
JITTER_S = 20
BUDGET_S = 60.0


def check_due(now: datetime | None = None) -> str:
    """Test the connections that are due, the longest unseen first, as far as the time goes; tidy drafts up."""
    drafts.tidy()
    now = now or clock.now()
    give_up = time.monotonic() + BUDGET_S
    looked = bad = 0
    for connection in due(now):
        if time.monotonic() > give_up:
            break
        looked += 1
        bad += not test(connection).connected
    return f"Looked at {looked} connections; {bad} of them not connected." if looked else "No connection is due."


def due(now: datetime) -> list[Connection]:
    """Return the connections that may be tried and were not looked at for a minute, give or take.

    One that was never tested is left to the test that its saving asked for.
    """
    rows = Connection.objects.select_related("group").filter(
        group__server=current(), group__deleted_at__isnull=True, checked_at__lt=now - timedelta(seconds=EVERY_S)
    )
    late = [row for row in rows.order_by("checked_at") if row.checked_at and now - row.checked_at >= interval(row)]
    return [row for row in late if obstacle(row) is None]


def interval(connection: Connection) -> timedelta:
    """Return how long this connection is left alone: EVERY_S and a jitter of its own, the same in every process."""
    return timedelta(seconds=EVERY_S + connection.pk.int % JITTER_S)
