"""Who still needs the old root, of a million clients on PostgreSQL: the aggregate, and samples judged one by one."""

import random
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from uuid import UUID

from bench import stage
from tests import postgres

CLIENTS = 1_000_000
SAMPLE = 2_000
DIALOG = "all that the revoke dialog asks, s"
LIMITS = {"who needs a root, of 1,000,000, s": 2.0, DIALOG: 2.0, "samples judged otherwise": 0}


def measure() -> dict[str, float]:
    """Return the figures."""
    with postgres.cluster(durable=False) as url, stage.console(url):
        return _measured()


def _measured() -> dict[str, float]:
    from django.urls import resolve

    from console.lib import clock
    from console.servers.current import current
    from keys.models.root import RevocationReason, Root
    from tests.trust import rows
    from trust.clients import counting, dependence
    from trust.clients.witness import ClientWitness

    server = current()
    old = Root.objects.get(server=server, number=0)
    middle, new = rows.root(server, 1), rows.root(server, 2)
    for pair in ((old, middle), (old, new), (middle, new)):
        rows.cross(*pair)
    now = clock.now()
    sets = [rows.holding(*held).pk for held in ((old,), (old, middle), (old, middle, new), (middle, new), (new,))]
    _fill(server.pk, [root.pk for root in (old, middle, new)], sets, now)
    resolve("/")  # a web process has read its URLs long before
    known = dependence.world(server)
    cold = _seconds(lambda: dependence.needs(dependence.groups(now), known, old, RevocationReason.POLICY, now))
    best = min(_seconds(lambda: dependence.groups(now)) for _ in range(3))
    return {
        "who needs a root, of 1,000,000, s": cold,
        "the same again, best of 3, s": best,
        DIALOG: _seconds(lambda: ClientWitness().dependants(old)),
        "first page of who needs it, s": _seconds(
            lambda: dependence.page(known, old, RevocationReason.COMPROMISED, now).rows
        ),
        "the count of each minute, s": _seconds(lambda: counting.count(server)),
        "samples judged": SAMPLE,
        "samples judged otherwise": _differing(old, now),
    }


def _fill(server: UUID, roots: list[UUID], sets: list[int], now: datetime) -> None:
    """Copy the clients in: most have moved to the newest root, some are away, some are lost."""
    from django.db import connection

    from trust.models.clients import Client

    with stage.without_indexes(Client), connection.cursor() as cursor:
        columns = (
            "id, server_id, name, authenticated, state, protocol, version, using_tls, tls_mode, registered_with, "
            "address, counter, created_at, last_seen, back_at, root_id, certificate_until, holding_id, "
            "own_sequence, reenrol_key, revocation_reason"
        )
        with cursor.copy(f"COPY trust_client ({columns}) FROM STDIN") as copy:
            for row in _rows(server, roots, sets, now):
                copy.write_row(row)
    with connection.cursor() as cursor:  # what autovacuum does by itself
        cursor.execute("VACUUM ANALYZE trust_client")


def _rows(server: UUID, roots: list[UUID], sets: list[int], now: datetime) -> Iterator[tuple[object, ...]]:
    dice = random.Random(4)  # noqa: S311 - no secret
    for number in range(CLIENTS):
        root = dice.choices(roots, (2, 1, 97))[0]
        held = dice.choices(sets, (1, 2, 90, 5, 2))[0]
        seen = now - timedelta(seconds=dice.choices((dice.randint(1, 300), dice.randint(21_601, 700_000)), (95, 5))[0])
        until = now + timedelta(seconds=dice.randint(-3_600, 7 * 86_400))
        yield (
            UUID(int=number), server, f"pc-{number:07}.example.com", True, "active", 315, "7.4.9", True, 1, "ts1",
            "192.0.2.1", number, now, seen, seen, root, until, held, 0, "", "",
        )  # fmt: skip


def _differing(old: "object", now: datetime) -> int:
    """Return how many of a sample the page lists and the pure rule does not, or the other way round."""
    from keys.models.root import RevocationReason, Root
    from trust.clients import dependence
    from trust.models.clients import Client

    assert isinstance(old, Root)
    known = dependence.world(old.server)
    dice = random.Random(5)  # noqa: S311
    sample = [UUID(int=dice.randrange(CLIENTS)) for _ in range(SAMPLE)]
    different = 0
    for reason in (RevocationReason.POLICY, RevocationReason.COMPROMISED):
        clients = list(Client.objects.filter(pk__in=sample).select_related("holding"))
        verdicts = dependence.judge(clients, known, old, reason, now)
        needed = dependence.needed(known, old, reason, now).filter(pk__in=sample).values_list("pk", flat=True)
        by_rule = {client.pk for client, verdict in zip(clients, verdicts, strict=True) if verdict.needs_root}
        different += len(by_rule ^ set(needed))
        groups = dependence.needs(dependence.groups(now), known, old, reason, now)
        different += abs(groups.number - dependence.needed(known, old, reason, now).count())
    return different


def _seconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began
