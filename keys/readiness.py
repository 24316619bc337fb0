"""Who still needs a root: pure decisions about one client at a time, from what the server knows of it.

A client needs a root if its certificate stands below it, or if that root alone leads it on to the newest one. The rules
by which it believes a root are those of `trust.anchors`; its TLS library follows at most MOST_HOPS cross-certificates.
Nothing here asks a database: `trust.clients.dependence` counts a million clients by the same rule.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from functools import cached_property

COMPROMISED = "compromised"
"""The reason (`keys.models.root.RevocationReason`) after which a root carries nobody over any more."""
RESET_MOST = timedelta(hours=6)
"""A client that is there registers anew within this time, and by then has a certificate below the newest root."""
MOST_HOPS = 2
"""Cross-certificates in a row: their path length of 1 (keys.profiles.CROSS, RFC 5280 §4.2.1.9) allows no third."""


class Fate(StrEnum):
    """What a revocation means to a client.

    FREE: nothing. DISTURBED: its certificate stands below the root; it asks for a new one by its last key, and comes
    back by itself. LOST: nothing leads it to the newest root; it needs a new initialisation file.
    """

    FREE = "free"
    DISTURBED = "disturbed"
    LOST = "lost"


@dataclass(frozen=True)
class RootFacts:
    """A root of the server that is, or was, in use. `compromised`: revoked for that reason."""

    fingerprint: str
    name: str
    number: int
    active: bool
    compromised: bool = False


@dataclass(frozen=True)
class World:
    """The roots of a server by fingerprint, and the pairs (issuer, subject) that are cross-certified."""

    roots: Mapping[str, RootFacts]
    certified: frozenset[tuple[str, str]]

    @cached_property
    def newest(self) -> RootFacts | None:
        """The root above all keys that the server uses."""
        return max((root for root in self.roots.values() if root.active), key=lambda root: root.number, default=None)

    def after(self, root: str, reason: str) -> "World":
        """Return the world after the revocation of a root."""
        gone = replace(self.roots[root], active=False, compromised=reason == COMPROMISED)
        return World({**self.roots, root: gone}, self.certified)

    @cached_property
    def knowing(self) -> frozenset[str]:
        """The roots of which each alone is enough to get to the newest one."""
        if self.newest is None:
            return frozenset()
        found = {self.newest.fingerprint}
        for _ in range(MOST_HOPS):
            found |= {issuer for issuer, subject in self._carrying if subject in found}
        return frozenset(found)

    @cached_property
    def _carrying(self) -> frozenset[tuple[str, str]]:
        return frozenset(pair for pair in self.certified if not any(self.roots[side].compromised for side in pair))

    def leads_on(self, held: Collection[str]) -> bool:
        """Whether somebody who holds these roots gets to the newest one."""
        return not self.knowing.isdisjoint(held)


@dataclass(frozen=True)
class Dependant:
    """What is known of a client.

    `root` is the one above its certificate, `held` what it says it holds (None: it never said), both by fingerprint.
    `follows`: it speaks the protocol that knows trust lists; Client 7.2 does not, and knows only legacy-root.
    """

    root: str | None
    held: frozenset[str] | None
    certificate_until: datetime
    last_seen: datetime
    authenticated: bool = True
    revoked: bool = False
    follows: bool = True


@dataclass(frozen=True)
class Verdict:
    """`why` is a sentence for a person; empty when the client is free."""

    fate: Fate
    why: str = ""

    @property
    def needs_root(self) -> bool:
        """Whether the client still needs the root."""
        return self.fate is not Fate.FREE


FREE = Verdict(Fate.FREE)


def verdict(client: Dependant, world: World, root: str, reason: str, at: datetime) -> Verdict:
    """Return what revoking `root` for `reason` at a moment means to a client, as far as is known of it now."""
    if client.revoked or not client.follows:
        return FREE
    if not world.after(root, reason).leads_on(_held(client, root)):
        return Verdict(Fate.LOST, _why_lost(client, world, root))
    if client.authenticated and client.root == root and client.certificate_until > at:
        return Verdict(Fate.DISTURBED, f"Its certificate stands below {_name(world, root)}.")
    return FREE


def waited_for(client: Dependant, found: Verdict) -> bool:
    """Whether a revocation that is to disturb nobody waits for a client.

    Not for one that never proved who it is: anybody could keep a root alive by registering.
    """
    return client.authenticated and found.needs_root


def ready_at(client: Dependant, world: World, root: str, reason: str, now: datetime) -> datetime | None:
    """Return from when on the revocation means nothing to a client, if it goes on as it does; None for never.

    One that is there learns the newest root, if anything leads it there today, and moves below it within RESET_MOST.
    Of one that is away only its certificate's end is certain.
    """
    found = verdict(client, world, root, reason, now)
    if found.fate is Fate.FREE:
        return now
    moves_at = client.last_seen + RESET_MOST if is_there(client, now) and _can_learn(client, world, root) else None
    if found.fate is Fate.LOST:
        return moves_at
    return min(moves_at or client.certificate_until, client.certificate_until)


def earliest(clients: Iterable[Dependant], world: World, root: str, reason: str, now: datetime) -> tuple[datetime, int]:
    """Return from when on nobody needs the root any more, and how many will go on needing it all the same."""
    dates = [ready_at(client, world, root, reason, now) for client in clients]
    return max((date for date in dates if date), default=now), sum(date is None for date in dates)


def is_there(client: Dependant, now: datetime) -> bool:
    """Whether the client was heard of within the longest time between two full registrations."""
    return client.last_seen > now - RESET_MOST


def _held(client: Dependant, root: str) -> frozenset[str]:
    """Return what the client holds; of one that never said, the worst: nothing but the root in question."""
    return frozenset({root}) if client.held is None else client.held


def _can_learn(client: Dependant, world: World, root: str) -> bool:
    return world.leads_on(_held(client, root))


def _why_lost(client: Dependant, world: World, root: str) -> str:
    newest = world.newest.name if world.newest else "a newer root"
    if not _can_learn(client, world, root):
        return f"It holds no root that leads on to {newest}: it needs a new init file."
    if client.held is None:
        return f"It never said which roots it holds: perhaps only {_name(world, root)}."
    return f"Only {_name(world, root)} leads it on to {newest}: it needs a new init file, unless it registers before."


def _name(world: World, root: str) -> str:
    return world.roots[root].name
