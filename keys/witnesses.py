"""Who else is concerned by a root: a registry that higher apps fill when they start.

`keys` knows its own server's components. Clients, hubs, Zone Servers and the peer are known to apps above, which
register a Witness here; nothing in this module looks upward.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID

from keys.models.root import Root


@dataclass(frozen=True)
class Consequence:
    """One line of the revoke dialog. `at` is shown as a time; `bad` marks what should make the reader stop.

    `fact` is what has to stand still between reading and confirming, where the text holds more than that: a number of
    clients changes with every second of a rotation, and nobody could confirm anything. `fingerprint` is that of the
    key which the text names.
    """

    term: str
    text: str
    at: datetime | None = None
    bad: bool = False
    fact: str = ""
    fingerprint: str = ""


@dataclass(frozen=True)
class Component:
    """Something that must learn of a change of roots, and how far it is (KEY-57).

    Many of a kind in the same state are one line: `number` says how many it stands for. One that several lines are
    about is in the number of the first of them only, so that the sum is how many there are.
    """

    name: str
    kind: str
    done: bool
    state: str
    number: int = 1
    url: str = ""


@dataclass(frozen=True)
class Named:
    """One that still needs a root. `lost`: it will not come back by itself; `why` is a sentence.

    Not `proven`: nothing shows that it is who it says.
    """

    name: str
    url: str
    last_seen: datetime | None
    renews_at: datetime | None
    why: str
    lost: bool
    proven: bool = True


@dataclass(frozen=True)
class Dependants:
    """Those of one kind that still need a root, as they are now.

    `lost` would not come back by themselves, the others would; `away` were not heard of lately; `unproven` never proved
    their names and are not waited for. From `earliest` on nobody needs the root any more, but for `never` of them.
    `deceived` hold nothing else that leads on: whoever has the private key can deceive them, and if the root is revoked
    as compromised they need a new init file. `first` and `first_deceived` name some of each; `url` lists them all.
    """

    kind: str
    disturbed: int
    lost: int
    away: int
    unproven: int
    earliest: datetime
    never: int
    deceived: int
    first: tuple[Named, ...]
    first_deceived: tuple[Named, ...]
    url: str

    @property
    def number(self) -> int:
        """How many a revocation that is to disturb nobody waits for."""
        return self.disturbed + self.lost

    @property
    def needing(self) -> str:
        """The same in words."""
        return amount(self.number, self.kind)


@dataclass(frozen=True)
class Counted:
    """How many of a kind still needed a root at the last count, `away` of them not heard of lately.

    `below`: so many have a key that is certified below it. Nobody is said to need the newest root: it is not revocable.
    `number` is None for a root that was the newest one until after the last count: nobody knows yet.
    """

    kind: str
    number: int | None
    away: int
    below: int
    at: datetime
    url: str

    @property
    def needing(self) -> str:
        """How many need it, in words."""
        return amount(self.number or 0, self.kind)

    @property
    def having(self) -> str:
        """How many have a key below it, in words."""
        return amount(self.below, self.kind)


def amount(number: int, kind: str) -> str:
    """Return `no clients`, `1 client`, `2,000 clients`; `kind` is the plural."""
    return f"{number:,} {kind.removesuffix('s') if number == 1 else kind}" if number else f"no {kind}"


class Witness(Protocol):
    """An app that knows who is concerned by a root."""

    def consequences(self, root: Root) -> Iterator[Consequence]:
        """Yield what revoking `root` does to those it knows, in words that change only when the facts do."""

    def components(self, root: Root) -> Iterator[Component]:
        """Yield those that must move from or to `root`, the newest root of its server. Cheap: many pages ask."""


class Roll(Protocol):
    """An app that knows one by one who depends on a root, and can say when nobody will."""

    def dependants(self, root: Root) -> Dependants | None:
        """Return who needs `root` now; None when there is nobody of that kind at all. May take a second."""

    def left(self, root: Root, reason: str) -> int:
        """Return how many still need `root` now, if it were revoked for `reason`."""

    def counted(self, roots: Collection[Root]) -> Mapping[UUID, Counted]:
        """Return the last count of each of these roots, by its id; without those not counted yet. Cheap."""


_witnesses: dict[str, Witness] = {}
_rolls: dict[str, Roll] = {}


def register(name: str, witness: Witness) -> None:
    """Add a witness; called from an app's ready(). The same name registered again replaces the former."""
    _witnesses[name] = witness


def register_roll(name: str, roll: Roll) -> None:
    """Add a roll, as `register` adds a witness."""
    _rolls[name] = roll


def consequences(root: Root) -> Iterator[Consequence]:
    """Yield the lines of every witness, in the order of registration."""
    for witness in _witnesses.values():
        yield from witness.consequences(root)


def components(root: Root) -> Iterator[Component]:
    """Yield the components of every witness."""
    for witness in _witnesses.values():
        yield from witness.components(root)


def dependants(root: Root) -> list[Dependants]:
    """Return who needs `root`, of every kind there is."""
    return [found for roll in _rolls.values() if (found := roll.dependants(root))]


def left(root: Root, reason: str) -> int:
    """Return how many of all kinds still need `root`."""
    return sum(roll.left(root, reason) for roll in _rolls.values())


def counted(roots: Collection[Root]) -> dict[UUID, list[Counted]]:
    """Return the last counts of each root, of every kind."""
    found: dict[UUID, list[Counted]] = {root.pk: [] for root in roots}
    for roll in _rolls.values():
        for root_id, number in roll.counted(roots).items():
            found[root_id].append(number)
    return found
