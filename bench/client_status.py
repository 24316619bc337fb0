"""What `client_status_sqlite` and `client_status_postgresql` measure: Client Status with a million clients, and few.

Each filter, each order, a page far from the first, and searches that find little, much and by address; then the export
of all of them. BENCH_CLIENTS=100000 makes it shorter.
"""

import os
import tempfile
import time
import uuid
from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench import stage
from bench.figures import p50, times_ms

if TYPE_CHECKING:
    from django.test import Client as Browser

FEW = 1_000
MANY = int(os.environ.get("BENCH_CLIENTS", "1000000"))
ROUNDS = 15
BATCH = 20_000
# What the page is asked for. Every one of them fills a page with FEW clients, too.
PAGES = {
    "first page": "",
    "registered using TLS": "registered=none&registered=tls",
    "registered unencrypted": "registered=none&registered=plain",
    "protocol 314": "protocol=314",
    "314 using TLS": "protocol=314&registered=none&registered=tls",
    "old root": "root={root}",
    "unauthenticated": "mark=unproven",
    "revoked": "mark=revoked",
    "waits to re-enrol": "mark=pending",
    "by name": "sort=name",
    "by name, downwards": "sort=-name",
    "oldest registration first": "sort=last_seen",
    "by certificate": "sort=certificate_until",
    "by certificate, downwards": "sort=-certificate_until",
    "search, little found": "q=rare",
    "search, much found": "q=dsk",
    "search by address": "q=10.9.0.",
}
DEEP = "page at nine tenths"
LIMITS = {f"{name}, many ÷ few": 1.5 for name in (*PAGES, DEEP)}


def measure_on(database_url: str | None) -> dict[str, float]:
    """Return the medians on one database, in milliseconds, and how many compares with few."""
    with stage.console(database_url):
        from console.accounts.grants import RoleKey
        from console.servers.current import current
        from keys.models.root import Root
        from tests.fixtures.users import create_user, sign_in
        from tests.trust import rows

        browser, server = sign_in(create_user("olga", RoleKey.AUDITOR)), current()
        old = Root.objects.get(server=server, number=0)
        roots = [old, rows.root(server, 1)]
        fill(server.pk, [root.pk for root in roots], 0, FEW)
        few = medians(browser, str(old.pk))
        began = time.perf_counter()
        fill(server.pk, [root.pk for root in roots], FEW, MANY)
        seeded = time.perf_counter() - began
        many = medians(browser, str(old.pk))
        exported = export_s()
    figures: dict[str, float] = {"clients": MANY, "seeding, s": seeded}
    for name in (*PAGES, DEEP):
        figures |= {f"{name}, ms": many[name], f"{name}, many ÷ few": many[name] / few[name]}
    return {**figures, "export of all, s": exported}


def medians(browser: "Browser", root: str) -> dict[str, float]:
    """Return the median of each page."""
    queries = {name: query.format(root=root) for name, query in PAGES.items()} | {DEEP: f"at={deep_cursor()}"}
    return {name: p50(times_ms(lambda q=query: look(browser, q), ROUNDS)) for name, query in queries.items()}  # type: ignore[misc]


def look(browser: "Browser", query: str) -> None:
    """Open a page that must be full."""
    response = browser.get(f"/clients/?{query}")
    assert response.status_code == 200, query
    assert response.content.count(b' id="client-') == 50, query


def deep_cursor() -> str:
    """Return the cursor that a reader has who turned nine tenths of the pages."""
    from console.lib import keyset
    from trust.models.clients import Client

    row = Client.objects.order_by("-last_seen", "-pk")[Client.objects.count() * 9 // 10]
    return keyset.after(row, "-last_seen")


def export_s() -> float:
    """Return how long it takes to write every client to a file."""
    from console.lib import csvfile
    from trust.clients import exporting
    from trust.clients.listing import Wanted

    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        written = csvfile.write(exporting.COLUMNS, exporting.lines(Wanted()), Path(folder) / "all.csv", lambda _: None)
        assert written.rows == MANY
        return time.perf_counter() - began


def fill(server: uuid.UUID, roots: list[uuid.UUID], first: int, end: int) -> None:
    """Write clients `first` to `end` in one transaction; one of ten is without TLS, one of ten is Client 7.2."""
    from django.db import connection, transaction

    from console.lib import clock
    from trust.models.clients import Client, PendingEnrolment

    made = clients(server, roots, first, end, clock.now())
    with transaction.atomic():
        while batch := [Client(**one) for one in islice(made, BATCH)]:
            Client.objects.bulk_create(batch)
        if not first:
            waiting = Client.objects.filter(authenticated=True).order_by("name")[: 2 * 60 : 2]
            PendingEnrolment.objects.bulk_create(
                PendingEnrolment(
                    client=one, spki_fingerprint="ab" * 32, first_at=one.created_at, last_at=one.created_at
                )
                for one in waiting
            )
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:  # what autovacuum does by itself
            cursor.execute("VACUUM ANALYZE trust_client")


def clients(server: uuid.UUID, roots: list[uuid.UUID], first: int, end: int, now: datetime) -> Iterator[dict[str, Any]]:
    """Yield the columns of clients. The few have 60 names and 60 addresses that no other has."""
    from trust.models.clients import NEVER

    for number in range(first, end):
        kind = number % 20
        unproven, spread = kind < 4, number * 2_654_435_761 % 2**32
        place = "rare" if number < 60 else ("dsk", "lap", "vdi", "pos")[spread % 4]
        yield {
            "server_id": server,
            "name": f"{place}-{spread:010}.corp.example",
            "authenticated": not unproven,
            "protocol": 314 if kind < 3 else 315,
            "version": "7.2.314.3632" if kind < 3 else "7.7.3.8213",
            "using_tls": kind not in {0, 3},
            "registered_with": "ts1.corp.example",
            "address": f"10.9.0.{number % 250}"
            if number < 60
            else f"10.{16 + spread % 200}.{spread % 250}.{number % 250}",
            "created_at": now,
            "last_seen": now - timedelta(seconds=spread % 2_000_000),
            "root_id": None if unproven else roots[number % 10 == 9],
            "certificate_until": NEVER if unproven else now + timedelta(seconds=spread % 604_800),
            "state": "revoked" if kind == 7 else "active",
            "revoked_at": now if kind == 7 else None,
        }
