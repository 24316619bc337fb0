"""When a client registers, over what, and what it does when the server will not have it."""

from datetime import timedelta
from functools import partial
from itertools import pairwise
from pathlib import Path

import msgspec
import pytest

from tests.trust.agent.reference import START, Clock, Server, Wire, again, begin, log_of, run
from trust.agent.agent import Agent
from trust.agent.directory import Directory
from trust.agent.errors import ServerNotTrustedError
from trust.agent.transport import Door, Reply, Request
from trust.wire.messages import HIGHEST_COUNTER, Refusal, Registered


def drawn(draw: float, low: float, high: float) -> float:
    return low + draw * (high - low)


def test_it_registers_every_half_to_one_and_a_half_minutes_and_anew_every_two_to_six_hours(
    tmp_path: Path, server: Server, wire: Wire, clock: Clock
) -> None:
    agent = begin(tmp_path, server, wire)
    times = []
    for draw in (0.0, 1.0, 0.3, 0.8):
        agent._client.jitter = partial(drawn, draw)
        for _ in range(8):
            clock.now = agent.step()
            times.append(clock.now)
    waits = {(after - before).total_seconds() for before, after in pairwise(times)}
    assert 30 <= min(waits) < max(waits) <= 90
    anew = agent.state.next_full
    assert anew
    assert START + timedelta(hours=2) <= anew <= START + timedelta(hours=6)
    clock.now = anew
    agent.step()
    full = [said.full for said, _door in server.registrations]
    assert (full[0], full[-1], sum(full)) == (True, True, 2)


def test_a_busy_server_puts_it_off(agent: Agent, server: Server, clock: Clock) -> None:
    server.refuse["/v1/registrations"] = Reply(503, "text/plain", b"full", 1800)
    assert agent.step() - clock.now >= timedelta(seconds=1800)


def test_tls_mode_0_registers_without_tls_only_and_never_enrols(  # TLS-23
    agent: Agent, server: Server, clock: Clock
) -> None:
    Directory(agent.folder).settings.set_local("TLSMode", 0)
    agent.step()
    assert "tls-required" in log_of(agent.folder)
    server.require_tls = False
    run(agent, clock, lambda: bool(server.registrations))
    assert {door.tls for _said, door in server.registrations} == {None}
    assert not server.issued
    # In clear anybody may say which client this is.
    server.is_lied_about = True
    run(agent, clock, lambda: len(server.registrations) == 2)
    assert not agent.state.client_id
    # A signed setting may bring TLS back, and a local one wins over it.
    server.tell({"TLSMode": 1})
    run(agent, clock, lambda: agent.state.sequences.settings == 1)
    assert not server.issued
    Directory(agent.folder).settings.set_local("TLSMode", None)
    run(agent, clock, lambda: len(server.issued) == 1)


def test_tls_mode_1_never_falls_back(agent: Agent, server: Server, wire: Wire, clock: Clock) -> None:  # TLS-11, TLS-24
    server.require_tls = False
    doors: list[Door] = []

    def broken(door: Door, _request: Request) -> None:
        doors.append(door)
        if door.tls:
            raise ServerNotTrustedError("The server is not trusted: self-signed certificate.")

    wire.before = broken
    for _ in range(8):
        clock.now = agent.step()
    assert doors
    assert all(door.tls for door in doors)
    assert not server.registrations
    assert "server-not-trusted" in log_of(agent.folder, "pki-tls.log")


def test_a_replayed_counter_goes_on_above_what_the_server_knows(
    agent: Agent, server: Server, wire: Wire, clock: Clock
) -> None:
    agent.step()
    said, door = server.registrations[0]
    server.registrations.append((msgspec.structs.replace(said, counter=5000), door))
    clock.now = agent.due
    agent.step()
    assert server.registrations[-1][0].counter == 5001
    clock.now = again(agent, clock, wire).step()
    assert server.registrations[-1][0].counter > 5001


def test_a_client_that_was_revoked_comes_again_in_an_hour(agent: Agent, server: Server, clock: Clock) -> None:
    agent.step()
    said = b'{"code":"client-revoked","message":"This client was revoked on this server."}'
    server.refuse["/v1/registrations"] = Reply(403, "application/json", said)
    clock.now = agent.due
    assert agent.step() - clock.now >= timedelta(hours=1)


@pytest.mark.parametrize("wait_s", [10**18, -(10**18)])
def test_no_refusal_keeps_a_client_away_for_good(agent: Agent, server: Server, clock: Clock, wait_s: int) -> None:
    """In clear, anybody may write one: neither its time nor its counter may lead where no way leads back from."""
    agent.step()
    said = Refusal(code="replayed", message="Known.", retry_after_s=wait_s, counter=2**62)
    server.refuse["/v1/registrations"] = Reply(409, "application/json", msgspec.json.encode(said))
    clock.now = agent.due
    due = agent.step()
    assert timedelta() <= due - clock.now < timedelta(days=2)
    del server.refuse["/v1/registrations"]
    clock.now = due
    agent.step()
    assert HIGHEST_COUNTER < server.registrations[-1][0].counter < 2**62


@pytest.mark.parametrize("year", [1, 9999])
def test_a_server_a_century_away_is_no_clock_to_go_by(agent: Agent, server: Server, clock: Clock, year: int) -> None:
    agent.step()
    said = Registered(registered_as="id", authenticated=True, server="server.example", next_s=60, move_within_s=0,
                      server_time=START.replace(year=year))  # fmt: skip
    server.refuse["/v1/registrations"] = Reply(200, "application/json", msgspec.json.encode(said))
    clock.now = agent.due
    due = agent.step()  # found by ./run fuzz: the client could not tell any more when to go on, also after a restart
    assert "bad-time" in log_of(agent.folder)
    assert agent.state.clock_ahead_s == 0
    assert timedelta() < due - clock.now < timedelta(minutes=10)


def test_a_clock_that_is_set_back_delays_nothing(agent: Agent, server: Server, clock: Clock) -> None:
    clock.now = agent.step()
    clock.turn(days=-9)
    clock.now = agent.step()
    assert [said.full for said, _door in server.registrations] == [True, True]
    assert clock.now < START
    assert "clock-set-back" in log_of(agent.folder)
