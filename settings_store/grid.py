"""The rows of the Advanced Settings grid, prepared for the template."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from settings_store import contradictions
from settings_store.catalogue import ENTRIES, PRE_SET, ROTATIONS, Entry, Group
from settings_store.contradictions import Snapshot
from settings_store.models import Scope, Setting, key
from settings_store.snapshot import effective_values, plain
from settings_store.values import Effective, Source, rows

SORTS = ("name", "-name", "changed", "-changed")
UNKNOWN = "Unknown to the console"


@dataclass(frozen=True)
class Line:
    """One row. `note` says why the effective value is not the shown one; `changed_at` is None at a default."""

    key: str
    name: str
    scope: str
    value_type: str
    shown: str
    unit: str
    meaning: str
    effective: str
    source: Source
    note: str
    group: str
    pre_set: bool
    changed_at: datetime | None = None
    changed_by: str = ""

    @property
    def known(self) -> bool:
        """Whether anything reads the setting."""
        return self.group != UNKNOWN


def lines(*, containing: str = "", group: str = "", sort: str = "name") -> list[Line]:
    """Return the rows of this server and the global ones, whose names contain the text, in the asked order."""
    effective = effective_values()
    values = plain(effective)
    stored = list(rows())
    has_row = {(row.name, row.scope) for row in stored}
    found = [_stored(row, effective[row.name], values) for row in stored]
    found += [
        _pre_set(entry, effective[entry.name], values) for entry in PRE_SET if (entry.name, "Global") not in has_row
    ]
    wanted = containing.strip().lower()
    found = [line for line in found if wanted in line.name.lower() and group in {"", line.group}]
    return _sorted(found, sort)


def groups() -> list[str]:
    """Return the groups that the grid can be narrowed to."""
    return [*Group, UNKNOWN]


def _sorted(found: list[Line], sort: str) -> list[Line]:
    found.sort(key=lambda line: (line.name.lower(), line.scope), reverse=sort == "-name")
    if sort.removeprefix("-") == "changed":
        changed = [line for line in found if line.changed_at]
        changed.sort(key=lambda line: (line.changed_at, line.name), reverse=sort == "-changed")
        # What was never changed comes last in both directions.
        return changed + [line for line in found if not line.changed_at]
    return found


def _stored(row: Setting, effective: Effective, values: Snapshot) -> Line:
    entry = ENTRIES.get(row.name)
    return Line(
        key=key(row.scope, row.name),
        name=row.name,
        scope=row.scope,
        value_type=row.value_type,
        shown=row.shown,
        unit=entry.unit if entry else "",
        meaning=_meaning(entry, row.value),
        effective=_effective(effective, values),
        source=effective.source,
        note=_note(row.scope, effective, values),
        group=entry.group if entry else UNKNOWN,
        pre_set=bool(entry and entry.pre_set and row.scope == Scope.GLOBAL),
        changed_at=row.changed_at,
        changed_by=row.changed_by,
    )


def _pre_set(entry: Entry, effective: Effective, values: Snapshot) -> Line:
    return Line(
        key=key(entry.scope, entry.name),
        name=entry.name,
        scope=entry.scope,
        value_type=entry.value_type,
        shown=entry.default_text,
        unit=entry.unit,
        meaning=_meaning(entry, entry.default_text),
        effective=_effective(effective, values),
        source=effective.source,
        note=_note(entry.scope, effective, values),
        group=entry.group,
        pre_set=True,
    )


def _meaning(entry: Entry | None, value: str) -> str:
    if entry is None:
        return ""
    if entry.name.endswith(".HSMTokenID") and value:
        return hex(int(value))  # as vendors' tools print it (AMB-16)
    return next((text for number, text in entry.meanings if str(number) == value), "")


def raised_hours(values: Mapping[str, int | str]) -> dict[str, int]:
    """Return the effective hours of each duration that is too short for its window."""
    return {
        kind.duration: contradictions.effective_hours(kind, values)
        for kind in ROTATIONS
        if contradictions.raised(kind, values)
    }


def _effective(effective: Effective, values: Snapshot) -> str:
    hours = raised_hours(values).get(effective.name)
    return f"{hours} hours" if hours else effective.text


def _note(scope: str, effective: Effective, values: Snapshot) -> str:
    if effective.name in raised_hours(values):
        return "raised above the renewal window"
    if effective.source is Source.LOCAL and scope == Scope.GLOBAL:
        return "a Local row overrides it here"
    return ""
