"""Readiness against what happens: histories of a server and its clients, with real certificates.

A client follows `trust.anchors` and verifies the server's TLS chain with another implementation of RFC 5280 §6 than the
one that made it. What readiness foretells must come true, for every client, in every history.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache

import pytest
from cryptography import x509
from cryptography.x509.verification import PolicyBuilder, Store, VerificationError
from hypothesis import event, given, settings
from hypothesis import strategies as st

from console.lib.digest import spki_fingerprint
from keys import cross, issuance, readiness
from keys.purposes import Purpose
from keys.readiness import RESET_MOST, Dependant, Fate, RootFacts, World
from tests.keys import software
from tests.keys.software import Certified
from trust import anchors
from trust.anchors import Held
from trust.wire.documents import ListedRoot, RevokedRoot, TrustList
from trust.wire.errors import WireError

NOW = software.NOW + timedelta(hours=1)
ROOTS = 6
HOUR = timedelta(hours=1)


@cache
def root(number: int) -> Certified:
    return software.root(number)


@cache
def fingerprint(number: int) -> str:
    return spki_fingerprint(root(number).spki)


@cache
def crossed(issuer: int, subject: int) -> bytes:
    prepared = cross.new_with_old(root(subject).der, root(issuer).der, now=software.NOW)
    return issuance.issue(prepared, root(issuer).key)


@cache
def server_tls(number: int) -> bytes:
    return software.below(root(number), Purpose.SERVER_TLS).der


@dataclass
class Peer:
    """A client: what it holds, and the root above its certificate."""

    held: Held
    above: int
    until: datetime
    seen: datetime


@dataclass
class Server:
    """The roots in use and revoked (with the reason), and who certified whom."""

    active: list[int] = field(default_factory=lambda: [0])
    revoked: dict[int, str] = field(default_factory=dict)
    crosses: set[tuple[int, int]] = field(default_factory=set)

    @property
    def newest(self) -> int:
        return max(self.active)

    def create(self, *, in_doubt: bool, missing: frozenset[int]) -> None:
        made = max([*self.active, *self.revoked]) + 1
        for old in self.active if not in_doubt else []:
            if old not in missing:
                self.crosses |= {(old, made), (made, old)}
        self.active.append(made)

    def revoke(self, number: int, reason: str) -> None:
        self.active.remove(number)
        self.revoked[number] = reason

    def carried(self) -> list[tuple[int, int]]:
        return sorted(
            pair for pair in self.crosses if not any(self.revoked.get(side) == "compromised" for side in pair)
        )

    def trust_list(self) -> TrustList:
        return TrustList(
            server="ts1",
            audience="*",
            sequence=1,
            issued_at=NOW,
            roots=tuple(ListedRoot(str(number), root(number).der) for number in self.active),
            crosses=tuple(crossed(*pair) for pair in self.carried()),
            revoked=tuple(
                RevokedRoot(str(number), fingerprint(number), reason, reason == "compromised", NOW)
                for number, reason in self.revoked.items()
            ),
        )

    def world(self) -> World:
        facts = [RootFacts(fingerprint(number), f"Root {number}", number, active=True) for number in self.active]
        facts += [
            RootFacts(fingerprint(number), f"Root {number}", number, active=False, compromised=why == "compromised")
            for number, why in self.revoked.items()
        ]
        pairs = frozenset((fingerprint(issuer), fingerprint(subject)) for issuer, subject in self.crosses)
        return World({one.fingerprint: one for one in facts}, pairs)


def trusts_the_server(peer: Peer, server: Server) -> bool:
    """Verify the chain that the listener sends: the server's certificate and every cross-certificate given out."""
    store = [x509.load_der_x509_certificate(der) for der in peer.held.roots.values()]
    chain = [x509.load_der_x509_certificate(crossed(*pair)) for pair in server.carried()]
    if not store:
        return False
    verifier = PolicyBuilder().store(Store(store)).time(NOW).build_server_verifier(x509.DNSName(software.FQDN))
    try:
        verifier.verify(x509.load_der_x509_certificate(server_tls(server.newest)), chain)
    except VerificationError:
        return False
    return True


def contact(peer: Peer, server: Server) -> bool:
    """Let a client come: it verifies the server, and then takes the trust list; False when it gives up."""
    if not trusts_the_server(peer, server):
        return False
    try:
        peer.held = anchors.accept(peer.held, server.trust_list(), root(server.newest).der).held
    except WireError:
        return False
    return fingerprint(server.newest) in peer.held.roots


def is_certified(peer: Peer, server: Server) -> bool:
    """Whether its certificate is good enough for the listener."""
    return peer.above in server.active and peer.until > NOW


@st.composite
def histories(draw: st.DrawFn) -> tuple[Server, list[Peer]]:
    """Draw what happened to a server, with clients that joined, came, and stayed away in between."""
    server, peers = Server(), []
    for _ in range(draw(st.integers(3, 12))):
        last = max([*server.active, *server.revoked])
        match draw(st.sampled_from(["join", "join", "create", "create", "revoke", "contact", "contact"])):
            case "create" if last + 1 < ROOTS:
                missing = draw(st.frozensets(st.sampled_from(server.active), max_size=1))
                server.create(in_doubt=draw(st.integers(0, 4)) == 0, missing=missing)
            case "revoke" if len(server.active) > 1:
                gone = draw(st.sampled_from(sorted(server.active)[:-1]))
                server.revoke(gone, draw(st.sampled_from(["policy", "doubt", "compromised"])))
            case "join":
                peers.append(
                    Peer(
                        Held({fingerprint(number): root(number).der for number in server.active}),
                        server.newest,
                        NOW + draw(st.integers(-24, 24 * 7)) * HOUR,
                        NOW - draw(st.integers(0, 48)) * HOUR,
                    )
                )
            case "contact" if peers:
                peer = draw(st.sampled_from(peers))
                if contact(peer, server) and draw(st.booleans()):
                    peer.above = server.newest
    if len(server.active) < 2 and max([*server.active, *server.revoked]) + 1 < ROOTS:
        server.create(in_doubt=False, missing=frozenset())
    return server, peers


def dependant(peer: Peer) -> Dependant:
    """Return what the server knows of the client."""
    return Dependant(fingerprint(peer.above), frozenset(peer.held.roots), peer.until, peer.seen)


@settings(max_examples=80, deadline=None)
@given(histories(), st.sampled_from(["policy", "doubt", "compromised"]), st.data())
def test_what_is_foretold_comes_true(history: tuple[Server, list[Peer]], reason: str, data: st.DataObject) -> None:
    """Rows KEY-24, KEY-57: every client that is said to be free, disturbed or lost is so after the revocation."""
    server, peers = history
    if len(server.active) < 2:
        return
    gone = data.draw(st.sampled_from(sorted(server.active)[:-1]))
    world = server.world()
    verdicts = [readiness.verdict(dependant(peer), world, fingerprint(gone), reason, NOW) for peer in peers]
    certified = [is_certified(peer, server) for peer in peers]
    server.revoke(gone, reason)
    assert world.after(fingerprint(gone), reason) == server.world()
    for peer, was_certified, found in zip(peers, certified, verdicts, strict=True):
        event(found.fate)
        believed = contact(peer, server)
        assert believed == (found.fate is not Fate.LOST)
        assert bool(found.why) == found.needs_root
        if found.fate is Fate.FREE:
            assert is_certified(peer, server) == was_certified
        if found.fate is Fate.DISTURBED:
            assert was_certified
            assert not is_certified(peer, server)


def alike(number: int, **columns: object) -> Dependant:
    values = {
        "root": fingerprint(number),
        "held": frozenset({fingerprint(number)}),
        "certificate_until": NOW + 24 * HOUR,
    }
    return Dependant(**{**values, "last_seen": NOW, **columns})  # type: ignore[arg-type]


def two_roots(*, certified: bool = True) -> World:
    server = Server()
    server.create(in_doubt=not certified, missing=frozenset())
    return server.world()


def fates(client: Dependant, world: World) -> Iterator[Fate]:
    for reason in ("policy", "doubt", "compromised"):
        yield readiness.verdict(client, world, fingerprint(0), reason, NOW).fate


def test_the_reason_decides_who_only_holds_the_old_root() -> None:
    world = two_roots()
    assert list(fates(alike(0), world)) == [Fate.DISTURBED, Fate.DISTURBED, Fate.LOST]
    assert list(fates(alike(1), world)) == [Fate.FREE] * 3
    assert list(fates(alike(0), two_roots(certified=False))) == [Fate.LOST] * 3
    # One that never said what it holds may hold only the old root.
    assert list(fates(alike(1, held=None), world)) == [Fate.FREE, Fate.FREE, Fate.LOST]


def test_nothing_waits_for_who_did_not_prove_its_name_or_is_refused_anyway() -> None:
    world = two_roots()
    for client in (alike(0, revoked=True), alike(0, follows=False)):
        assert list(fates(client, world)) == [Fate.FREE] * 3
    stranger = alike(0, root=None, authenticated=False)
    found = readiness.verdict(stranger, world, fingerprint(0), "compromised", NOW)
    assert found.fate is Fate.LOST
    assert not readiness.waited_for(stranger, found)


def test_a_certificate_that_ends_before_is_not_disturbed() -> None:
    world, client = two_roots(), alike(0)
    at = client.certificate_until
    assert readiness.verdict(client, world, fingerprint(0), "policy", at - HOUR).fate is Fate.DISTURBED
    assert readiness.verdict(client, world, fingerprint(0), "policy", at).fate is Fate.FREE


def test_the_earliest_date_is_when_the_last_one_is_ready() -> None:
    world = two_roots()
    there = alike(0)
    away = alike(0, last_seen=NOW - 48 * HOUR)
    assert readiness.ready_at(alike(1), world, fingerprint(0), "policy", NOW) == NOW
    assert readiness.ready_at(there, world, fingerprint(0), "policy", NOW) == NOW + RESET_MOST
    assert readiness.ready_at(away, world, fingerprint(0), "policy", NOW) == away.certificate_until
    assert readiness.earliest([there, away], world, fingerprint(0), "policy", NOW) == (away.certificate_until, 0)
    # Compromised: who is there can still learn the new root before; who is away cannot be helped by waiting.
    assert readiness.earliest([there, away], world, fingerprint(0), "compromised", NOW) == (NOW + RESET_MOST, 1)
    assert readiness.earliest([], world, fingerprint(0), "policy", NOW) == (NOW, 0)


@given(st.integers(1, 24 * 7), st.integers(0, 24 * 7))
def test_at_the_date_it_gives_a_client_that_is_away_is_free(hours: int, ago: int) -> None:
    world = two_roots()
    client = alike(0, certificate_until=NOW + hours * HOUR, last_seen=NOW - RESET_MOST - ago * HOUR)
    date = readiness.ready_at(client, world, fingerprint(0), "policy", NOW)
    assert date is not None
    assert readiness.verdict(client, world, fingerprint(0), "policy", date).fate is Fate.FREE


Step = tuple[str, int] | None
"""A root that is revoked, and why; None: the next one is made."""
APART = (None, ("policy", 0), None, ("policy", 1), None)
OVERLAPPING = (None, None, ("policy", 0), None, ("policy", 1))
TOGETHER = (None, None, None, ("policy", 0), ("migration", 1))


@pytest.mark.parametrize(
    ("steps", "last", "fate"),
    [
        (TOGETHER, ("policy", 2), Fate.FREE),  # the first root certified the newest one itself
        (OVERLAPPING, ("policy", 2), Fate.FREE),  # two in a row
        (APART, ("policy", 2), Fate.LOST),  # three in a row
        (OVERLAPPING, ("compromised", 2), Fate.FREE),  # another way is left
        ((*OVERLAPPING[:-1], ("compromised", 1)), ("policy", 2), Fate.FREE),
        ((*OVERLAPPING[:-1], ("compromised", 1)), ("compromised", 2), Fate.LOST),
        (TOGETHER[:3], ("compromised", 0), Fate.LOST),  # the one that it holds
    ],
)
def test_who_was_away_for_three_rotations(steps: Sequence[Step], last: tuple[str, int], fate: Fate) -> None:
    """It holds Root 0 alone, and comes back to Root 3 or does not, as was foretold before the last revocation."""
    server, peer = Server(), Peer(Held({fingerprint(0): root(0).der}), 0, NOW - HOUR, NOW)
    for step in steps:
        if step:
            server.revoke(step[1], step[0])
        else:
            server.create(in_doubt=False, missing=frozenset())
    found = readiness.verdict(dependant(peer), server.world(), fingerprint(last[1]), last[0], NOW)
    server.revoke(last[1], last[0])
    assert (found.fate, server.newest) == (fate, 3)
    assert contact(peer, server) is (fate is not Fate.LOST)


def test_a_client_that_missed_three_roots_is_lost_and_one_that_missed_two_is_not() -> None:
    """The path length of a cross-certificate lets no third one follow (RFC 5280 §4.2.1.9)."""
    for missed, comes_back in ((2, True), (3, False)):
        server = Server()
        for number in range(missed):
            server.create(in_doubt=False, missing=frozenset())
            if number < missed - 1:
                server.revoke(number, "policy")
        gone = missed - 1
        peer = Peer(Held({fingerprint(0): root(0).der}), 0, NOW + HOUR, NOW)
        found = readiness.verdict(dependant(peer), server.world(), fingerprint(gone), "policy", NOW)
        server.revoke(gone, "policy")
        assert contact(peer, server) is comes_back
        assert (found.fate is not Fate.LOST) is comes_back
