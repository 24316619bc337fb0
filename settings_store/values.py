"""What a setting is worth now, and where that comes from. Every read asks the database: no restart is needed.

The row of this server goes before the global row, and that before the default of the catalogue.
"""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from django.conf import settings
from django.db.models import Q, QuerySet

from console.lib.errors import UnavailableError
from console.servers.models import Server
from settings_store.catalogue import ENTRIES
from settings_store.models import FormerValue, Scope, Setting, ValueType


class Source(StrEnum):
    """Where an effective value comes from."""

    LOCAL = "this server"
    GLOBAL = "global"
    DEFAULT = "default"
    ABSENT = "not set"


@dataclass(frozen=True)
class SealedValue:
    """A Protected value as the web may carry it. `version` changes with every value that is entered."""

    name: str
    setting_id: UUID
    version: str
    entered_at: datetime
    sealed: bytes = field(repr=False)


@dataclass(frozen=True)
class Effective:
    """`row` is None for a default and for a setting that is not set; `text` may be shown."""

    name: str
    text: str
    source: Source
    row: Setting | None = None


def rows(server: Server | None = None) -> QuerySet[Setting]:
    """Return the rows that count on a server (this one): its own and the global ones."""
    own = Q(server=server) if server else Q(server__fqdn=settings.SERVER_NAME)
    return Setting.objects.filter(own | Q(scope=Scope.GLOBAL))


def effective(name: str, *, server: Server | None = None) -> Effective:
    """Return the value of one setting on a server."""
    return chosen(name, list(rows(server).filter(name=name)))


def chosen(name: str, candidates: list[Setting]) -> Effective:
    """Choose among the rows of one name."""
    by_scope = {row.scope: row for row in candidates}
    if row := by_scope.get(Scope.LOCAL):
        return Effective(name, row.shown, Source.LOCAL, row)
    if row := by_scope.get(Scope.GLOBAL):
        return Effective(name, row.shown, Source.GLOBAL, row)
    entry = ENTRIES.get(name)
    if entry and entry.default is not None:
        return Effective(name, entry.default_text, Source.DEFAULT)
    return Effective(name, "", Source.ABSENT)


def text(name: str, *, server: Server | None = None) -> str | None:
    """Return a Text or Numeric setting as text, or None when it is not set."""
    found = effective(name, server=server)
    return None if found.source is Source.ABSENT else found.text


def optional_integer(name: str, *, server: Server | None = None) -> int | None:
    """Return a Numeric setting, or None when it is not set."""
    found = text(name, server=server)
    return None if found is None else int(found)


def integer(name: str, *, server: Server | None = None) -> int:
    """Return a Numeric setting that has a default; raises UnavailableError for one without that is not set."""
    found = optional_integer(name, server=server)
    if found is None:
        raise UnavailableError(f"{name} is not set.", next_step=f"Add {name} on Advanced Settings.")
    return found


def flag(name: str, *, server: Server | None = None) -> bool:
    """Return a setting of 0 or 1; not set is False."""
    return optional_integer(name, server=server) == 1


def sealed(name: str, *, server: Server | None = None) -> SealedValue | None:
    """Return a Protected setting for `settings_store.opening.reveal`, or None when it is not set."""
    row = effective(name, server=server).row
    if row is None or row.value_type != ValueType.PROTECTED or row.sealed is None:
        return None
    return SealedValue(name, row.id, version_of(row.id, row.version), row.changed_at, bytes(row.sealed))


def former(name: str, *, server: Server) -> list[SealedValue]:
    """Return the values that this setting had and that a job still needs, newest first."""
    return [
        SealedValue(name, row.setting_id, version_of(row.setting_id, row.version), row.entered_at, bytes(row.sealed))
        for row in FormerValue.objects.filter(name=name, server=server)
    ]


def version_of(setting_id: UUID, version: int) -> str:
    """Return a word that no other entered value has: a row that is deleted and added again gets a new id."""
    return f"{setting_id}.{version}"
