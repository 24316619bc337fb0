"""Clients as a CSV file: what Client Status shows of them, by the same filter."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import transaction

from console.activity import log
from console.jobs import queue
from console.jobs.models import OPEN, Job
from console.jobs.running import Run
from console.lib import clock, csvfile
from console.lib.actor import Actor
from console.lib.subject import Subject
from trust.actions import Action
from trust.clients import listing
from trust.clients.listing import Wanted
from trust.clients.rows import Row, rows
from trust.jobs import EXPORT_CLIENTS

SUBJECT = Subject("clients", "", "Client Status")
COLUMNS = (
    *("id", "name", "IP address", "version", "protocol", "using TLS", "registered with", "last registration"),
    *("contact", "state", "authenticated", "root key", "fingerprint of the root key", "certificate until"),
    *("known since", "revoked at", "reason"),
)


def path_of(job_id: UUID) -> Path:
    """Return where the file of an export job lies."""
    return Path(settings.EXPORT_DIR) / f"clients-{job_id}.csv"


@transaction.atomic
def request(wanted: Wanted, *, actor: Actor) -> Job:
    """Queue the export, or return the one of this user that is under way."""
    mine = Job.objects.filter(kind_name=EXPORT_CLIENTS.name, actor_id=actor.id, state__in=OPEN)
    return mine.first() or queue.enqueue(EXPORT_CLIENTS, subject=SUBJECT, actor=actor, params=wanted.as_params())


def export(run: Run) -> str:
    """Write the clients that the filter takes, by name."""
    wanted = Wanted.from_params(run.job.params)
    written = csvfile.write(COLUMNS, lines(wanted), path_of(run.job.pk), _progress(run))
    run.result |= {"rows": written.rows, "size_bytes": written.size_bytes, "sha256": written.sha256}
    with transaction.atomic():
        details = {**run.result, "filter": wanted.as_params()}
        log.append(Action.CLIENTS_EXPORTED, SUBJECT, actor=run.actor, details=details)
    return f"{written.rows:,} clients written."


def _progress(run: Run) -> Callable[[int], None]:
    return lambda number: run.progress(number, 0, f"{number:,} clients written")


def lines(wanted: Wanted) -> Iterator[tuple[Any, ...]]:
    """Yield the rows of the file, read page by page."""
    cursor, first = "", True
    while cursor or first:
        page = listing.listed(wanted, sort="name", cursor=cursor, size=csvfile.CHUNK).page
        yield from map(_line, rows(page.rows, clock.now()))
        cursor, first = page.next, False


def _line(row: Row) -> tuple[Any, ...]:
    client, root = row.client, row.root
    return (
        *(str(client.pk), client.name, client.address, client.version, client.protocol, row.using_tls.text),
        *(client.registered_with, row.last_seen or "", row.status.contact_mark.text),
        "; ".join(mark.text for mark in row.status.marks),
        "yes" if client.authenticated else "no",
        *((root.name, root.fingerprint) if root else ("", "")),
        *(row.certificate_until or "", client.created_at, client.revoked_at or "", client.revocation_reason),
    )
