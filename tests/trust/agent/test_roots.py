"""Which roots a client comes to hold, and how its certificate follows them."""

from datetime import timedelta
from pathlib import Path

import pytest

from tests.trust.agent.reference import START, Clock, Server, Wire, begin, enrolments, log_of, offline, root_of, run
from trust.agent.agent import Agent
from trust.agent.errors import SetupError


def test_a_newer_root_is_learnt_and_followed_until_the_next_full_registration(  # KEY-43
    agent: Agent, server: Server, clock: Clock
) -> None:
    agent.step()
    latest = agent.state.next_full
    assert latest
    new = server.rotate()
    run(agent, clock, lambda: new.fingerprint in agent.state.roots)
    assert root_of(agent) != new.fingerprint
    run(agent, clock, lambda: server.registrations[-1][0].full)
    assert set(server.registrations[-1][0].roots) == set(agent.state.roots)
    run(agent, clock, lambda: root_of(agent) == new.fingerprint)
    assert clock.now <= latest + timedelta(seconds=90)


def test_a_client_that_was_away_comes_back_by_the_proof_of_its_last_key(  # KEY-43
    agent: Agent, server: Server, clock: Clock, wire: Wire
) -> None:
    agent.step()
    wire.before = offline
    old, middle_root = server.roots[0], server.rotate()
    server.revoke(old)
    new = server.rotate()
    server.revoke(middle_root)
    for _ in range(30):
        clock.now = agent.step()
    assert clock.now - START < timedelta(hours=6)
    assert "registration-failed" in log_of(agent.folder, "pki-tls.log")
    clock.turn(days=30)
    wire.before = Wire(server).before
    run(agent, clock, lambda: set(agent.state.roots) == {new.fingerprint})
    assert root_of(agent) == new.fingerprint
    assert enrolments(server) == ["simpleenroll", "simpleenroll"]


def test_a_root_revoked_as_compromised_carries_nobody_over(agent: Agent, server: Server, clock: Clock) -> None:
    agent.step()
    held = server.roots[0]
    server.rotate()
    server.revoke(held, compromised=True)
    asked = len(server.registrations)
    for _ in range(10):
        clock.now = agent.step()
    assert len(server.registrations) == asked
    assert "server-not-trusted" in log_of(agent.folder, "pki-tls.log")
    # A new infrastructure file is the way back; what this client had before is still its own.
    clock.turn(days=1)
    agent = begin(agent.folder, server, Wire(server))
    run(agent, clock, lambda: root_of(agent) == server.roots[0].fingerprint)
    assert held.fingerprint not in agent.state.roots


def test_a_client_with_the_wrong_init_file_learns_nothing(
    tmp_path: Path, server: Server, clock: Clock
) -> None:  # KEY-43
    other = Server(clock)
    agent = begin(tmp_path, server, Wire(server), raw=other.init_file())
    agent.step()
    assert not enrolments(server)
    assert set(agent.state.roots) == {other.roots[0].fingerprint}
    # One name or one root is enough to know a server by; without either its file is not taken.
    server.fqdn = "elsewhere.example"
    with pytest.raises(SetupError, match="another server"):
        begin(tmp_path, server, Wire(server))
    assert set(Agent(tmp_path).state.roots) == {other.roots[0].fingerprint}
    server.fqdn = other.fqdn
    assert set(begin(tmp_path, server, Wire(server)).state.roots) == {server.roots[0].fingerprint}


def test_a_hint_that_shrinks_lets_a_client_move_at_once(agent: Agent, server: Server, clock: Clock) -> None:
    agent.step()
    new = server.rotate()
    run(agent, clock, lambda: new.fingerprint in agent.state.roots)
    server.move_within_s = 0
    run(agent, clock, lambda: root_of(agent) == new.fingerprint)
    assert clock.now - START < timedelta(minutes=5)


def test_a_revocation_does_not_wait_for_the_move_that_was_planned(agent: Agent, server: Server, clock: Clock) -> None:
    agent.step()
    old, new = server.roots[0], server.rotate()
    run(agent, clock, lambda: new.fingerprint in agent.state.roots)
    server.revoke(old)
    run(agent, clock, lambda: root_of(agent) == new.fingerprint)
    assert clock.now - START < timedelta(minutes=6)
