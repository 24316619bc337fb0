"""What `client_status_sqlite` and `client_status_postgresql` measure: Client Status with a million clients, and few.

Each filter, each order, a page far from the first, and searches that find little, much and by address; then the export
of one of twenty. BENCH_CLIENTS=100000 makes it shorter.
"""

import os
import tempfile
import time
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from bench import stage
from bench.figures import p50, times_ms

if TYPE_CHECKING:
    from django.test import Client as Browser

FEW = 1_000
MANY = int(os.environ.get("BENCH_CLIENTS", "1000000"))
TURNS, ROUNDS = 3, 10
# Finds 50 of the few, and of the many as many as are looked up one by one (`listing.MOST_FOUND`).
LOOKED_UP = "without the newest root"
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
    LOOKED_UP: "mark=unaware",
    "by name": "sort=name",
    "by name, downwards": "sort=-name",
    "oldest registration first": "sort=last_seen",
    "by certificate": "sort=certificate_until",
    "by certificate, downwards": "sort=-certificate_until",
    "search, little found": "q=rare",
    "search, much found": "q=dsk",
    "search by address": "q=10.9.0.",
    "page at nine tenths": "at={deep}",
}
LIMITS = {f"{name}, many ÷ few": 1.5 for name in PAGES if name != LOOKED_UP}

# The few have 60 names and 60 addresses that no other has. `spread` lies anywhere in 32 bits, once for each number.
CLIENTS = """
INSERT INTO trust_client (
    id, server_id, name, authenticated, protocol, version, using_tls, tls_mode, registered_with, address, counter,
    created_at, last_seen, back_at, root_id, holding_id, certificate_until, own_sequence, reenrol_key, state,
    revoked_at, revocation_reason
)
WITH RECURSIVE numbers(n) AS (SELECT %(first)s UNION ALL SELECT n + 1 FROM numbers WHERE n + 1 < %(end)s),
spreads AS (SELECT n, n %% 20 AS kind, n * 2654435761 %% 4294967296 AS spread FROM numbers)
SELECT
    {id}, (SELECT id FROM servers_server),
    CASE WHEN n < 60 THEN 'rare' ELSE substr('dsklapvdipos', CAST(1 + (spread %% 4) * 3 AS integer), 3) END
        || '-' || substr(CAST(10000000000 + spread AS text), 2) || '.corp.example',
    kind >= 4,
    CASE WHEN kind < 3 THEN 314 ELSE 315 END,
    CASE WHEN kind < 3 THEN '7.2.314.3632' ELSE '7.7.3.8213' END,
    kind NOT IN (0, 3), 1, 'ts1.corp.example',
    CASE WHEN n < 60 THEN '10.9.0' ELSE '10.' || (16 + spread %% 200) || '.' || (spread %% 250) END
        || '.' || (n %% 250),
    0, %(now)s, {seen}, {never},
    CASE WHEN kind >= 4 THEN (SELECT id FROM keys_root WHERE number = CASE WHEN n %% 10 = 9 THEN 1 ELSE 0 END) END,
    CASE WHEN kind >= 4 THEN (SELECT id FROM {sets} WHERE digest = CASE kind WHEN 5 THEN 'old' ELSE 'both' END) END,
    CASE WHEN kind >= 4 THEN {until} ELSE {never} END,
    0, '',
    CASE WHEN kind = 7 THEN 'revoked' ELSE 'active' END, CASE WHEN kind = 7 THEN %(now)s END,
    ''
FROM spreads
"""
DIALECTS = {
    "postgresql": {
        "id": "gen_random_uuid()",
        "seen": "%(now)s - spread %% 2000000 * interval '1 s'",
        "until": "%(now)s + spread %% 604800 * interval '1 s'",
        "never": "timestamptz '1970-01-01 00:00:00+00'",
    },
    "sqlite": {
        "id": "lower(hex(randomblob(16)))",
        "seen": "datetime(%(now)s, (-spread %% 2000000) || ' seconds')",
        "until": "datetime(%(now)s, (spread %% 604800) || ' seconds')",
        "never": "'1970-01-01 00:00:00'",
    },
}


def measure_on(database_url: str | None) -> dict[str, float]:
    """Return the medians on one database, in milliseconds, and how many compares with few."""
    with stage.console(database_url):
        from django.db import connection

        from console.accounts.grants import RoleKey
        from console.servers.current import current
        from keys.models.root import Root
        from tests.fixtures.users import create_user, sign_in
        from tests.trust import rows
        from trust.models.clients import RootSet

        server, olga = current(), create_user("olga", RoleKey.AUDITOR)
        old, new = Root.objects.get(server=server, number=0), rows.root(server, 1)
        for digest, held in (("old", [old.fingerprint]), ("both", [old.fingerprint, new.fingerprint])):
            RootSet.objects.create(digest=digest, fingerprints=held)
        fill(0, FEW)
        names = {"few": stage.copy_database(), "many": str(connection.settings_dict["NAME"])}
        began = time.perf_counter()
        fill(FEW, MANY)
        seeded = time.perf_counter() - began
        browsers = {}
        for which, name in names.items():
            stage.use_database(name)
            browsers[which] = sign_in(olga)
        taken = {page: both(names, browsers, query.replace("{root}", str(old.pk))) for page, query in PAGES.items()}
        exported = export_s()
    figures: dict[str, float] = {"clients": MANY, "seeding, s": seeded}
    for name in PAGES:
        few, many = taken[name]
        figures |= {f"{name}, ms": many, f"{name}, many ÷ few": many / few}
    return {**figures, "export of one of twenty, s": exported}


def both(names: dict[str, str], browsers: "dict[str, Browser]", query: str) -> tuple[float, float]:
    """Return the medians of one page with few and with many, in turns: no machine is as fast all the time."""
    taken: dict[str, list[float]] = {which: [] for which in names}
    for _ in range(TURNS):
        for which, name in names.items():
            stage.use_database(name)
            asked = query.format(deep=deep_cursor()) if "{deep}" in query else query
            taken[which] += times_ms(partial(look, browsers[which], asked), ROUNDS)
    return p50(taken["few"]), p50(taken["many"])


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
    """Return how long it takes to write the revoked clients to a file: each twentieth."""
    from console.lib import csvfile
    from trust.clients import exporting
    from trust.clients.listing import Wanted

    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        written = csvfile.write(
            exporting.COLUMNS, exporting.lines(Wanted(mark="revoked")), Path(folder) / "revoked.csv", lambda _: None
        )
        assert written.rows == MANY // 20
        return time.perf_counter() - began


def fill(first: int, end: int) -> None:
    """Write clients `first` to `end`; two of twenty are without TLS, three are Client 7.2."""
    from django.db import connection

    from console.lib import clock
    from trust.models.clients import Client, PendingEnrolment, RootSet

    now = clock.now()
    values = {"first": first, "end": end, "now": connection.ops.adapt_datetimefield_value(now)}
    with stage.without_indexes(Client) if first else nullcontext(), connection.cursor() as cursor:
        cursor.execute(CLIENTS.format(**DIALECTS[connection.vendor], sets=RootSet._meta.db_table), values)
    if not first:
        waiting = Client.objects.filter(authenticated=True).order_by("name")[: 2 * 60 : 2]
        PendingEnrolment.objects.bulk_create(
            PendingEnrolment(client=one, spki_fingerprint="ab" * 32, first_at=now, last_at=now) for one in waiting
        )
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:  # what autovacuum does by itself
            cursor.execute("VACUUM ANALYZE trust_client")
