"""Client 7.2: one public key, no certificate of its own, and TLS as ReportingTLSMode says."""

import errno
import os
from collections.abc import Callable
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path

import msgspec
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tests.trust import authorities
from tests.trust.agent.reference import NAME, START, Clock, log_of, middle
from trust.agent import beginning
from trust.agent.agent import Agent
from trust.agent.directory import Directory
from trust.agent.errors import HandshakeError, SetupError, UnreachableError
from trust.agent.transport import Door, Reply, Request
from trust.wire.documents import Settings
from trust.wire.initfile import Address
from trust.wire.messages import Refusal, Registered, Registration
from trust.wire.signed import Envelope, Kind

LEGACY = authorities.root("legacy-root")
PEM = LEGACY.key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


class Server:
    """Answers protocol 314. `breaks`: every handshake fails; `root` is what it says its legacy-root is."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.breaks = False
        self.is_away = False
        self.root = LEGACY.der
        self.refuses_plain = False
        self.documents: tuple[Envelope, ...] = ()
        self.seen: list[tuple[datetime, str, Door]] = []

    def send(self, door: Door, request: Request) -> Reply:
        self.seen.append((self.clock(), request.path, door))
        if self.is_away:
            raise UnreachableError("Nobody answers at port 17473 (TimeoutError).")
        if door.tls and self.breaks:
            raise HandshakeError("The TLS handshake failed (WRONG_VERSION_NUMBER).")
        if request.path == "/v1/legacy-root":
            return Reply(200, "application/pkix-cert", self.root)
        said = msgspec.json.decode(request.body, type=Registration)
        assert (said.protocol, said.version) == (314, "7.2.0")
        if self.refuses_plain and not door.tls:
            refusal = Refusal(code="tls-required", message="Client 7.2 must use TLS.")
            return Reply(403, "application/json", msgspec.json.encode(refusal))
        answer = Registered(
            registered_as="id",
            authenticated=False,
            server=NAME,
            server_time=self.clock(),
            next_s=60,
            move_within_s=0,
            documents=self.documents,
        )
        return Reply(200, "application/json", msgspec.json.encode(answer))

    def close(self) -> None:
        pass

    def registrations(self, *, tls: bool) -> list[datetime]:
        return [at for at, path, door in self.seen if path == "/v1/registrations" and bool(door.tls) == tls]

    def attempts(self) -> list[datetime]:
        return [at for at, _path, door in self.seen if door.tls]


@pytest.fixture
def server(clock: Clock) -> Server:
    return Server(clock)


@pytest.fixture
def agent(tmp_path: Path, server: Server, clock: Clock) -> Agent:
    beginning.from_public_key(Directory(tmp_path), PEM, name="old.example", server=Address(NAME, 17472, 17473))
    return Agent(tmp_path, clock=clock, transport=server, jitter=middle)


def put(agent: Agent, **settings: int) -> None:
    for name, value in settings.items():
        Directory(agent.folder).settings.set_local(name, value)


def steps(agent: Agent, clock: Clock, until: Callable[[], bool]) -> None:
    for _ in range(2000):
        clock.now = max(clock.now, agent.step())
        if until():
            return
    raise AssertionError("It never came to that.")


def test_without_settings_it_registers_without_tls(agent: Agent, server: Server) -> None:  # TLS-22, TLS-25
    agent.step()
    assert [(door.port, door.tls) for _at, _path, door in server.seen] == [(17473, None)]


def test_mode_1_uses_tls_by_the_key_of_its_file_and_the_name_of_the_old_chain(  # BND-02, TLS-26
    agent: Agent, server: Server
) -> None:
    put(agent, ReportingTLSMode=1)
    agent.step()
    fetched, registered = [door for _at, _path, door in server.seen]
    assert fetched.tls
    assert registered.tls
    assert (fetched.tls.roots, registered.tls.roots) == ((), (LEGACY.der,))
    assert {door.name for door in (fetched, registered)} == {f"legacy.{NAME}"}
    assert not registered.tls.certificate


def test_mode_1_does_not_register_without_tls(agent: Agent, server: Server, clock: Clock) -> None:  # TLS-11, TLS-26
    put(agent, ReportingTLSMode=1, OptionalTLSMinAttemptCount=1)  # TLS-29: without effect here
    server.breaks = True
    for _ in range(6):
        clock.now = agent.step()
    assert len(server.attempts()) == 6
    assert len(server.seen) == 6
    assert "handshake" in log_of(agent.folder, "pki-tls.log")


@pytest.mark.parametrize("mode", [1, 2])
def test_another_legacy_root_is_not_accepted(agent: Agent, server: Server, clock: Clock, mode: int) -> None:  # BND-02
    put(agent, ReportingTLSMode=mode)
    server.root = authorities.root("legacy-root").der
    agent.step()
    assert not server.registrations(tls=True)
    assert bool(server.registrations(tls=False)) == (mode == 2)
    assert not agent.state.roots
    server.root = b"rubbish"
    clock.now = agent.step()
    assert not agent.state.roots


def test_mode_2_tries_tls_exactly_three_times_then_registers_without(  # TLS-10, TLS-27, TLS-30
    agent: Agent, server: Server
) -> None:
    put(agent, ReportingTLSMode=2)
    server.breaks = True
    agent.step()
    assert [bool(door.tls) for _at, _path, door in server.seen] == [True, True, True, False]
    said = log_of(agent.folder, "pki-tls.log")
    assert [f"attempt {number} of 3" in said for number in (1, 2, 3, 4)] == [True, True, True, False]


def test_the_waits_between_the_series_double_up_to_an_hour(  # TLS-31, TLS-32
    agent: Agent, server: Server, clock: Clock
) -> None:
    put(agent, ReportingTLSMode=2)
    server.breaks = True
    steps(agent, clock, lambda: len(server.attempts()) >= 3 * 15)
    moments = server.attempts()[::3]
    waits = [int((after - before).total_seconds()) for before, after in pairwise(moments)]
    assert waits == [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 3600, 3600]
    # Meanwhile it stays registered without TLS, at the usual pace.
    plain = server.registrations(tls=False)
    assert max(after - before for before, after in pairwise(plain)) <= timedelta(seconds=90)


def test_other_values_of_the_three_settings_count(agent: Agent, server: Server, clock: Clock) -> None:
    put(
        agent,
        ReportingTLSMode=2,
        OptionalTLSMinAttemptCount=2,
        OptionalTLSBackoffIntervalSeconds=10,
        OptionalTLSMaxBackoffSeconds=25,
    )
    server.breaks = True
    steps(agent, clock, lambda: len(server.attempts()) >= 2 * 5)
    moments = server.attempts()[::2]
    assert [(after - START).total_seconds() for after in moments[:5]] == [0, 10, 30, 55, 80]


def test_tls_that_works_again_is_used_again(agent: Agent, server: Server, clock: Clock) -> None:
    put(agent, ReportingTLSMode=2)
    server.breaks = True
    for _ in range(6):
        clock.now = agent.step()
    server.breaks = False
    plain = len(server.registrations(tls=False))
    steps(agent, clock, lambda: len(server.registrations(tls=True)) == 3)
    assert len(server.registrations(tls=False)) <= plain + 1
    assert agent.state.tls_failures == 0


def test_the_series_survives_a_restart(agent: Agent, server: Server, clock: Clock) -> None:
    put(agent, ReportingTLSMode=2)
    server.breaks = True
    for _ in range(5):
        clock.now = agent.step()
    failures = agent.state.tls_failures
    agent = Agent(agent.folder, clock=clock, transport=server, jitter=middle)
    steps(agent, clock, lambda: agent.state.tls_failures == failures + 1)


def test_a_full_disk_ends_nothing(agent: Agent, server: Server, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    put(agent, ReportingTLSMode=2)
    server.breaks = True
    for _ in range(3):
        clock.now = agent.step()
    agent._client.counter = agent.state.counter
    with monkeypatch.context() as full:
        full.setattr(os, "fsync", _full)
        server.breaks = False
        for _ in range(4):
            before, clock.now = clock.now, agent.step()
            assert clock.now > before
    assert "disk: No space left on device" in log_of(agent.folder)
    steps(agent, clock, lambda: bool(server.registrations(tls=True)))


def _full(_descriptor: int) -> int:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_the_server_may_refuse_what_comes_without_tls(agent: Agent, server: Server, clock: Clock) -> None:
    server.refuses_plain = True
    clock.now = agent.step()
    assert "tls-required" in log_of(agent.folder)
    assert clock.now > START


def test_settings_of_the_server_count_only_over_tls(agent: Agent, server: Server, clock: Clock) -> None:
    """No signer leads to legacy-root: the connection that it authenticates has to vouch."""
    signer = authorities.below(authorities.root("Root 0"), "messages", purposes=[authorities.MESSAGE_SIGNING])
    said = Settings(server=NAME, audience="*", sequence=1, issued_at=START, settings={"ReportingTLSMode": 2})
    server.documents = (authorities.envelope(Kind.SETTINGS, said, signer),)
    agent.step()
    assert not Directory(agent.folder).settings.all()
    put(agent, ReportingTLSMode=1)
    steps(agent, clock, lambda: "Server_ReportingTLSMode" in Directory(agent.folder).settings.all())
    Directory(agent.folder).settings.set_local("ReportingTLSMode", None)
    assert Directory(agent.folder).settings.number("ReportingTLSMode") == 2


def test_what_is_no_public_key_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SetupError):
        beginning.from_public_key(Directory(tmp_path), b"rubbish", name="old.example", server=Address(NAME, 1, 2))


def test_loss_of_the_server_puts_it_off(agent: Agent, server: Server, clock: Clock) -> None:
    waits = []

    server.is_away = True
    for _ in range(12):
        before = clock.now
        clock.now = agent.step()
        waits.append((clock.now - before).total_seconds())
    assert waits == sorted(waits)
    assert waits[0] <= 5
    assert 300 <= waits[-1] <= 600
