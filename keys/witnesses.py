"""Who else is concerned by a root: a registry that higher apps fill when they start.

`keys` knows its own server's components. Clients, hubs, Zone Servers and the peer are known to apps above, which
register a Witness here; nothing in this module looks upward.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from keys.models.root import Root


@dataclass(frozen=True)
class Consequence:
    """One line of the revoke dialog. `at` is shown as a time; `bad` marks what should make the reader stop."""

    term: str
    text: str
    at: datetime | None = None
    bad: bool = False


@dataclass(frozen=True)
class Component:
    """Something that must learn of a change of roots, and how far it is (KEY-57)."""

    name: str
    kind: str
    done: bool
    state: str


class Witness(Protocol):
    """An app that knows who depends on a root."""

    def consequences(self, root: Root) -> Iterator[Consequence]:
        """Yield what revoking `root` does to those it knows, in words that change only when the facts do."""

    def components(self, root: Root) -> Iterator[Component]:
        """Yield those that must move from or to `root`, the newest root of its server."""


_witnesses: dict[str, Witness] = {}


def register(name: str, witness: Witness) -> None:
    """Add a witness; called from an app's ready(). The same name registered again replaces the former."""
    _witnesses[name] = witness


def consequences(root: Root) -> Iterator[Consequence]:
    """Yield the lines of every witness, in the order of registration."""
    for witness in _witnesses.values():
        yield from witness.consequences(root)


def components(root: Root) -> Iterator[Component]:
    """Yield the components of every witness."""
    for witness in _witnesses.values():
        yield from witness.components(root)
