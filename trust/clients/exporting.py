"""Clients as a CSV file: what Client Status shows of them, by the same filter."""

from collections.abc import Iterator
from typing import Any

from console.jobs.exports import Export
from console.jobs.running import Run
from console.lib import clock, csvfile
from console.lib.subject import Subject
from trust.actions import Action
from trust.clients import listing
from trust.clients.listing import Wanted
from trust.clients.rows import Row, rows
from trust.jobs import EXPORT_CLIENTS

EXPORT = Export(
    EXPORT_CLIENTS,
    "clients",
    title="clients",
    taken=Action.CLIENTS_DOWNLOADED,
    again="Export the clients again.",
    is_own=True,
    subject=Subject("clients", "", "Client Status"),
    rows="clients",
    made=Action.CLIENTS_EXPORTED,
)
COLUMNS = (
    *("id", "name", "IP address", "version", "protocol", "using TLS", "registered with", "last registration"),
    *("contact", "state", "authenticated", "root key", "fingerprint of the root key", "certificate until"),
    *("known since", "revoked at", "reason"),
)


def export(run: Run) -> str:
    """Write the clients that the filter takes, by name."""
    return EXPORT.write(run, COLUMNS, lines(Wanted.from_params(run.job.params)))


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
