"""All effective values of this server at once: for the rules, and for the grid."""

from collections import defaultdict
from collections.abc import Mapping

from console.servers.models import Server
from settings_store import guards
from settings_store.catalogue import ENTRIES
from settings_store.contradictions import Finding, Snapshot, find
from settings_store.models import Setting, ValueType
from settings_store.values import Effective, Source, chosen, rows


def effective_values(server: Server | None = None) -> dict[str, Effective]:
    """Return every known setting and every stored one, by name."""
    by_name: dict[str, list[Setting]] = defaultdict(list)
    for row in rows(server):
        by_name[row.name].append(row)
    return {name: chosen(name, by_name.get(name, [])) for name in {*ENTRIES, *by_name}}


def plain(effective: Mapping[str, Effective]) -> Snapshot:
    """Return what the rules read: numbers, texts, and `(protected)` for a sealed value that is there."""
    return {
        name: int(value.text) if _is_number(value) else value.text
        for name, value in effective.items()
        if value.source is not Source.ABSENT
    }


def findings(server: Server | None = None) -> list[Finding]:
    """Return what does not fit together on a server now."""
    return find(plain(effective_values(server)), guards.known_tokens())


def _is_number(value: Effective) -> bool:
    if value.row is not None:
        return value.row.value_type == ValueType.NUMERIC
    return value.source is Source.DEFAULT
