"""What `activity_sqlite` and `activity_postgresql` measure: appending, verifying, and the first page."""

import os
import time

from bench import stage
from bench.figures import p50, times_ms

FEW = 1_000
MANY = int(os.environ.get("BENCH_ENTRIES", "1000000"))
APPENDS = 1_000
LIMITS = {"first page, many ÷ few entries": 1.5}


def measure_on(database_url: str | None) -> dict[str, float]:
    """Return the figures on one database."""
    with stage.console(database_url):
        from console.accounts.grants import RoleKey
        from console.activity import verification
        from tests.fixtures.users import create_user, sign_in

        client = sign_in(create_user("olga", RoleKey.AUDITOR))

        def first_page() -> None:
            assert client.get("/activity/").status_code == 200

        # The same actors and actions in both, so that only the number of entries differs.
        fill_up_to(FEW)
        few_ms = p50(times_ms(first_page, 40))
        appends_per_s = append_one_by_one(APPENDS)
        fill_up_to(MANY)
        many_ms = p50(times_ms(first_page, 40))
        began = time.perf_counter()
        report = verification.verify(set())
        took_s = time.perf_counter() - began
        assert report.entries >= MANY
        assert not report.first_bad, report.what
    return {
        "appends a second, one transaction each": appends_per_s,
        "entries verified": report.entries,
        "verification, s": took_s,
        f"first page at {FEW:,} entries, ms": few_ms,
        f"first page at {MANY:,} entries, ms": many_ms,
        "first page, many ÷ few entries": many_ms / few_ms,
    }


def append_one_by_one(number: int) -> float:
    """Append as the console does, and return how many a second."""
    from django.db import transaction

    from console.activity import log
    from console.lib.actor import Actor
    from console.lib.subject import Subject

    began = time.perf_counter()
    for n in range(number):
        with transaction.atomic():
            log.append("settings.changed", Subject("setting", str(n), "name"), actor=Actor.system(), details={"n": n})
    return number / (time.perf_counter() - began)


def fill_up_to(total: int, batch: int = 5_000) -> None:
    """Write entries in bulk, each chained as `log.append` would."""
    from django.db import connection, transaction

    from console.activity import chain
    from console.activity.models import Entry, Head
    from console.lib import clock

    head = Head.objects.get(pk=1)
    while head.seq < total:
        entries = []
        for seq in range(head.seq + 1, min(head.seq + batch, total) + 1):
            entry = Entry(
                seq=seq,
                at=clock.now(),
                server="bench.example.com",
                actor_kind="user",
                actor=f"user{seq % 50}",
                actor_id=str(seq % 50),
                action=f"settings.action-{seq % 40}",
                subject_kind="setting",
                subject_id=str(seq % 1000),
                subject_label=f"Setting {seq % 1000}",
                outcome="succeeded",
                details="{}",
                previous_hash=head.hash,
            )
            entry.hash = chain.entry_hash(head.hash, entry.fields())
            head.seq, head.hash = seq, entry.hash
            entries.append(entry)
        with transaction.atomic():
            Entry.objects.bulk_create(entries)
            head.save()
    if connection.vendor == "postgresql":
        # What autovacuum does by itself when a log grows at its own pace.
        with connection.cursor() as cursor:
            cursor.execute("ANALYZE activity_entry")
