"""Rotations drawn by chance: what readiness foretells of each client, and what becomes of it when it comes back.

A trial: some clients are there, some are away, one may be new; a new root, sometimes because the old one is in doubt;
some hear of it; any root but the newest is revoked for any reason; then everybody comes back. KEYSTEAD_FLEET_SEED
repeats the trials of a seed.
"""

import os
import random
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import pytest

from console.jobs.models import Job
from console.lib import clock
from console.servers.models import Server
from keys import revocation
from keys.models.root import RevocationReason, Root
from keys.readiness import Fate
from tests.fixtures.listener import Listener
from tests.fixtures.processes import wait_for
from tests.fleet.conftest import Publish
from tests.fleet.simulator import ENROLMENT, Fleet, Member
from tests.keys.conftest import ALICE
from tests.keys.test_revocation import plan
from trust.clients import dependence
from trust.clients.revoking import revoke
from trust.models.certificates import Certificate, Ground
from trust.models.clients import Client, ClientState

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

TRIALS = 3
NEWCOMERS = 5
REASONS = tuple(RevocationReason)


@dataclass
class Trial:
    """One rotation. `said` gathers what happened, for whoever has to find out why a trial failed."""

    fleet: Fleet
    server: Server
    dice: random.Random
    make_root: Callable[..., Root]
    publish: Publish
    run_jobs: Callable[..., list[Job]]
    said: list[str]
    fates: set[Fate] = field(default_factory=set)

    def say(self, text: str) -> None:
        self.said.append(text)

    def some(self, members: list[Member], chance: float) -> list[Member]:
        return [member for member in members if self.dice.random() < chance]

    def rotate(self, *, in_doubt: bool) -> None:
        """Create New Key; some of the clients hear of it, and some of those move below it.

        Of the newcomers always one stays away, and another hears of it and does not move.
        """
        new = self.make_root(in_doubt=in_doubt)
        self.publish()
        self.say(f"{new.short_name} made{', the old one in doubt' if in_doubt else ''}")
        *others, away, stays = self.fleet.members
        heard = [*self.some(others, 0.6), stays]
        moving = self.some(heard[:-1], 0.6)
        for member in heard:
            member.line.cut = "" if member in moving else ENROLMENT
        if not in_doubt:  # nobody hears of a root that the older ones do not vouch for
            wait_for(lambda: self.has_heard(stays, new), what="the new root's word in the listener", every_s=0.2)
        self.fleet.each(Member.contact, heard)
        self.fleet.each(lambda member: member.until(lambda: member.root == new.fingerprint, 6), moving)
        self.fleet.each(Member.contact, moving)
        for member in heard:
            member.line.cut = ""
        self.say(f"away: {away.name}; heard: {names(heard)}; moving: {names(moving)}")

    @staticmethod
    def has_heard(member: Member, root: Root) -> bool:
        """Have a client ask, and tell whether it holds the root: a listener's memory may be a second old."""
        return member.contact() and root.fingerprint in member.agent.state.roots

    def revoke_a_client(self) -> None:
        """Now and then one of the clients is revoked."""
        if self.dice.random() < 0.5:
            name = self.dice.choice(self.fleet.members).name
            client = Client.objects.get(name=name, authenticated=True)
            if client.state == ClientState.ACTIVE:
                revoke(client, "lost", actor=ALICE)
                self.run_jobs()
                self.say(f"{name} revoked")

    def foretell(self, root: Root, reason: str) -> dict[str, Fate]:
        """Return what readiness says of each client before the revocation."""
        wait_for(self.is_written, what="the rows of what clients said")
        rows = list(Client.objects.filter(authenticated=True).select_related("holding"))
        found = dependence.judge(rows, dependence.world(self.server), root, reason, clock.now())
        return {row.name: verdict.fate for row, verdict in zip(rows, found, strict=True)}

    def is_written(self) -> bool:
        """Whether what every client holds stands in its row: listeners write it once a second."""
        held = {
            row.name: set(row.holding.fingerprints) if row.holding else set()
            for row in Client.objects.filter(authenticated=True, state=ClientState.ACTIVE).select_related("holding")
        }
        return all(held[member.name] == set(member.agent.state.roots) for member in self.fleet.members
                   if member.name in held)  # fmt: skip

    def revoke_a_root(self, *, worst: bool) -> dict[str, Fate]:
        """Revoke any root but the newest for any reason, and return what was foretold.

        `worst`: the one below which most clients stand, as compromised.
        """
        *older, _ = Root.objects.numbered(self.server).filter(state="active").order_by("number")
        root = older[-1] if worst else self.dice.choice(older)
        return self.revoke(root, RevocationReason.COMPROMISED if worst else self.dice.choice(REASONS))

    def revoke(self, root: Root, reason: RevocationReason) -> dict[str, Fate]:
        """Revoke a root, and return what was foretold."""
        foretold = self.foretell(root, reason)
        revocation.request(root, plan(root, reason=reason), actor=ALICE)
        self.run_jobs()
        root.refresh_from_db()
        assert root.state == "revoked", root.state
        self.publish()
        self.say(f"{root.short_name} revoked: {reason}; foretold: {sorted(foretold.items())}")
        return foretold

    def come_back(self, foretold: dict[str, Fate]) -> None:
        """Have everybody come back, and hold what happens against what was foretold."""
        revoked = set(Client.objects.filter(state=ClientState.REVOKED).values_list("name", flat=True))
        gone = set(Root.objects.filter(server=self.server, state="revoked").values_list("fingerprint", flat=True))
        stood_below = {member.name: member.root for member in self.fleet.members}
        proofs = Certificate.objects.filter(ground=Ground.LAST_KEY).count()
        self.fates |= set(foretold.values())
        back = dict(zip(names(self.fleet.members), self.fleet.each(Member.contact), strict=True))
        expected = {name: name not in revoked and foretold[name] is not Fate.LOST for name in back}
        assert back == expected
        disturbed = {name for name, root in stood_below.items() if expected[name] and root in gone}
        assert disturbed >= {name for name in back if expected[name] and foretold[name] is Fate.DISTURBED}
        asked_by_proof = Certificate.objects.filter(ground=Ground.LAST_KEY).order_by("-id").select_related("client")
        made = asked_by_proof[: asked_by_proof.count() - proofs]
        assert {certificate.client.name for certificate in made} == disturbed

    def forget_the_revoked(self) -> None:
        """Go on without the clients that were revoked. Those that are lost stay, and stay lost."""
        revoked = Client.objects.filter(state=ClientState.REVOKED).values_list("name", flat=True)
        self.fleet.members = [member for member in self.fleet.members if member.name not in set(revoked)]


def names(members: list[Member]) -> list[str]:
    return [member.name for member in members]


@pytest.fixture
def trial(
    fleet: Fleet,
    listener: Listener,
    make_root: Callable[..., Root],
    publish: Publish,
    run_jobs: Callable[..., list[Job]],
) -> Trial:
    """Give a trial of this seed, or of one of its own."""
    assert listener.server
    seed = os.environ.get("KEYSTEAD_FLEET_SEED") or uuid.uuid4().hex
    dice = random.Random(seed)  # noqa: S311 - chance, no secret
    return Trial(fleet, listener.server, dice, make_root, publish, run_jobs, [f"KEYSTEAD_FLEET_SEED={seed}"])


@contextmanager
def telling(trial: Trial) -> Iterator[None]:
    """Have a trial that fails tell what happened, and what each client held."""
    try:
        yield
    except BaseException as error:
        error.add_note("\n".join(trial.said))
        for member in trial.fleet.members:
            error.add_note(f"\n{member.name}: {sorted(root[:8] for root in member.agent.state.roots)}\n"
                           + "\n".join(member.log.splitlines()[-12:]))  # fmt: skip
        raise


def test_what_is_foretold_comes_true(trial: Trial, init_file: Callable[[], bytes]) -> None:  # AMB-48, KEY-35
    with telling(trial):
        for number in range(TRIALS):
            newcomers = trial.fleet.begin(*(f"pc-{number}{place}.example" for place in range(NEWCOMERS)),
                                          init_file=init_file())  # fmt: skip
            assert all(trial.fleet.each(Member.contact, newcomers))
            is_last = number == TRIALS - 1  # it has clients of every fate
            trial.rotate(in_doubt=not is_last and trial.dice.random() < 0.3)
            trial.revoke_a_client()
            trial.come_back(trial.revoke_a_root(worst=is_last))
            trial.forget_the_revoked()
        assert trial.fates == set(Fate)


@pytest.mark.one_database
def test_who_was_away_for_three_rotations_comes_back_over_two_cross_certificates_and_no_more(trial: Trial) -> None:
    """Rows KEY-43, KEY-57: roots that overlapped shorten the way; one that was compromised ends it."""
    policy, compromised = RevocationReason.POLICY, RevocationReason.COMPROMISED
    back, lost = trial.fleet.begin("back.example", "lost.example")
    with telling(trial):
        assert all(trial.fleet.each(Member.contact))
        roots = [Root.objects.get(number=0), trial.make_root(), trial.make_root()]
        trial.revoke(roots[0], policy)
        roots.append(trial.make_root())
        trial.revoke(roots[1], RevocationReason.MIGRATION)
        foretold = trial.revoke(roots[2], policy)  # 0 leads to 1 and 2, each of these to 3
        assert Fate.LOST not in foretold.values()
        assert back.contact()
        assert (set(back.agent.state.roots), back.root) == ({roots[3].fingerprint}, roots[3].fingerprint)

        roots.append(trial.make_root())
        foretold = trial.revoke(roots[3], policy)
        assert foretold == {back.name: Fate.DISTURBED, lost.name: Fate.LOST}
        assert trial.fleet.each(Member.contact, [back, lost]) == [True, False]
        assert back.root == roots[4].fingerprint

        trial.make_root()
        foretold = trial.revoke(roots[4], compromised)
        assert foretold == dict.fromkeys((back.name, lost.name), Fate.LOST)
        assert trial.fleet.each(Member.contact, [back, lost]) == [False, False]
        assert "server-not-trusted" in back.log
