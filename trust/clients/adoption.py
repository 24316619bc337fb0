"""TLS adoption over time: the days that were counted, and the changes of settings that decide about TLS."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from console.activity.models import Entry
from console.servers.models import Server
from settings_store.actions import Action
from settings_store.catalogue import ENTRIES
from trust.clients import picture
from trust.clients.picture import Change, Day, Picture
from trust.models.counts import Adoption

SETTINGS = (
    "ReportingTLSMode",
    "TLSMode",
    "require_client_tls_314_flag",
    "require_client_tls_315_flag",
    "enable_protocol_314_flag",
)
ACTIONS = (Action.ADDED, Action.CHANGED, Action.RESET, Action.DELETED)
MOST_CHANGES = 20


@dataclass(frozen=True)
class Line:
    """A day of the table, with what was changed on it."""

    day: Day
    changes: tuple[Change, ...]


@dataclass(frozen=True)
class Shown:
    """`picture` is None before the second day."""

    picture: Picture | None
    lines: tuple[Line, ...]

    @property
    def in_words(self) -> str:
        """What the picture says, for who does not see it."""
        told = [line.day for line in reversed(self.lines) if line.day.percent is not None]
        if not told:
            return "No client registered in this time."
        first, last = told[0], told[-1]
        return f"From {first.percent:.1f} % on {_date(first.day)} to {last.percent:.1f} % on {_date(last.day)}."


def shown(server: Server, now: datetime) -> Shown:
    """Return the last 60 days as a picture, and as lines with the newest first."""
    today = now.date()
    since = today - timedelta(days=picture.DAYS - 1)
    days = [
        Day(row.day, row.using_tls, row.unencrypted)
        for row in Adoption.objects.filter(server=server, day__gte=since).order_by("day")
    ]
    changed = changes(server, datetime(since.year, since.month, since.day, tzinfo=UTC))
    lines = tuple(Line(day, tuple(_of(changed, day.day))) for day in reversed(days))
    return Shown(picture.draw(days, changed, today), lines)


def changes(server: Server, since: datetime) -> list[Change]:
    """Return the newest changes of these settings that count on a server, oldest first."""
    entries = Entry.objects.filter(
        action__in=[str(action) for action in ACTIONS],
        subject_kind="setting",
        subject_label__in=SETTINGS,
        at__gte=since,
    ).order_by("-seq")[:MOST_CHANGES]
    return [change for entry in reversed(entries) if (change := _change(entry, server))]


def _change(entry: Entry, server: Server) -> Change | None:
    details = json.loads(entry.details)
    if details.get("scope") == "Local" and entry.server != server.fqdn:
        return None
    name = entry.subject_label
    value = ENTRIES[name].default_text if entry.action == Action.DELETED else details.get("to", details.get("value"))
    return Change(entry.at, f"{name} = {value}")


def _of(changed: Iterable[Change], day: date) -> Iterable[Change]:
    return (change for change in changed if change.at.date() == day)


def _date(day: date) -> str:
    return f"{day.day} {day:%b}"
