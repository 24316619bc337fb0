"""How a client gets its certificate, and gets another: in its time, by its last key, whatever is lost on the way."""

from collections.abc import Callable
from datetime import timedelta
from itertools import pairwise
from pathlib import Path

import pytest
from cryptography import x509

from tests.trust import authorities
from tests.trust.agent.reference import (
    ENROLMENTS,
    SECRET,
    START,
    Clock,
    Server,
    Wire,
    again,
    begin,
    enrolments,
    log_of,
    middle,
    run,
)
from trust import anchors
from trust.agent import keys
from trust.agent.agent import Agent
from trust.agent.directory import Directory
from trust.agent.enrolling import MOST_DOUBTFUL
from trust.agent.errors import UnreachableError
from trust.agent.transport import Door, Reply, Request
from trust.wire import signatures


def test_it_enrols_by_est_and_registers(agent: Agent, server: Server) -> None:  # AMB-05, KEY-44, KEY-58
    due = agent.step()
    assert [path.rsplit("/", 1)[-1] for path in server.asked] == [
        "cacerts",
        "csrattrs",
        "simpleenroll",
        "registrations",
    ]
    identity = agent.state.identity
    assert identity
    (request,) = server.issued
    key = Directory(agent.folder).keys.load(identity.key)
    assert signatures.spki(x509.load_der_x509_csr(request)) == keys.spki(key)  # type: ignore[arg-type]
    assert identity.chain == (server.intermediate.der,)
    assert agent.state.sequences.trust_list == 1
    assert timedelta(seconds=30) <= due - START <= timedelta(seconds=90)


@pytest.mark.parametrize(("window", "due_hours"), [(4, 164), (40, 128)])
def test_it_renews_inside_the_window(  # ROT-02, ROT-20
    agent: Agent, server: Server, clock: Clock, window: int, due_hours: int
) -> None:
    server.tell({"PKIClientTLSKeyRenewalWindowHours": window})
    agent.step()
    assert agent.state.identity
    first = agent.state.identity.key
    clock.now = START + timedelta(hours=due_hours, seconds=-1)
    agent.step()
    assert agent.state.identity.key == first
    clock.turn(seconds=1)
    agent.step()
    assert agent.state.identity.key != first
    assert enrolments(server) == ["simpleenroll", "simplereenroll"]
    assert not Directory(agent.folder).keys.key_path(first).exists()


def test_it_renews_at_most_once_an_hour(agent: Agent, server: Server, clock: Clock) -> None:  # ROT-07
    server.tell({"PKIClientTLSKeyRenewalWindowHours": 1000})
    times = []
    for _ in range(12):
        before = len(server.issued)
        agent.step()
        times += [clock.now] * (len(server.issued) - before)
        clock.now = max(agent.due, clock.now + timedelta(minutes=13))
    assert len(times) >= 3
    assert min(after - before for before, after in pairwise(times)) >= timedelta(hours=1)


def test_a_clock_that_is_wrong_by_a_day_renews_nothing_early(
    tmp_path: Path, server: Server, wire: Wire, clock: Clock
) -> None:
    begin(tmp_path, server, wire)
    ahead = Agent(tmp_path, clock=lambda: clock.now + timedelta(days=1), transport=wire, jitter=middle)
    ahead.step()
    server.hours = 25
    clock.turn(days=6)
    ahead.step()
    assert len(server.issued) == 1
    clock.turn(hours=21)
    ahead.step()
    assert len(server.issued) == 2
    assert "clock-differs" in log_of(tmp_path)


def lose_enrolments(_door: Door, request: Request, _reply: Reply) -> None:
    if request.path.endswith(ENROLMENTS):
        raise UnreachableError("The connection broke (TimeoutError).", connected=True)


def test_a_known_name_without_its_key_waits_until_an_administrator_allows_it(
    agent: Agent, tmp_path_factory: pytest.TempPathFactory, server: Server, wire: Wire, clock: Clock
) -> None:
    agent.step()
    other = begin(tmp_path_factory.mktemp("reinstalled"), server, wire)
    due = other.step()
    assert due - clock.now >= timedelta(seconds=600)
    assert "pending" in log_of(other.folder)
    waiting = other.state.request
    clock.now = other.step()
    assert other.state.request
    assert waiting
    assert other.state.request.der == waiting.der
    # An administrator allows one key by its fingerprint: an answer that is lost must not make the client change it.
    wire.after = lose_enrolments
    clock.now = other.step()
    assert other.state.request.in_doubt
    wire.after = lambda _door, _request, _reply: None
    clock.now = other.step()
    assert (other.state.request.key, other.state.request.der) == (waiting.key, waiting.der)
    server.allowed.add("client.example")
    run(other, clock, lambda: other.state.identity is not None)


def test_a_registration_that_is_refused_for_the_certificate_leads_to_the_proof(
    agent: Agent, server: Server, clock: Clock
) -> None:
    agent.step()
    said = b'{"code":"unknown-certificate","message":"This certificate was not issued here."}'
    server.refuse["/v1/registrations"] = Reply(401, "application/json", said)
    clock.now = agent.due
    agent.step()
    server.refuse.clear()
    run(agent, clock, lambda: len(server.registrations) == 2)
    assert enrolments(server) == ["simpleenroll", "simpleenroll"]
    # Its certificate goes along: the server may have forgotten it.
    ((leaf, above),) = server.chains
    assert anchors.is_signed_by(leaf, above)


def test_a_renewal_that_is_refused_does_not_end_the_registrations(agent: Agent, server: Server, clock: Clock) -> None:
    agent.step()
    server.refuse["/.well-known/est/simplereenroll"] = Reply(403, "text/plain", b"Not now.\n")
    clock.now = START + timedelta(hours=165)
    run(agent, clock, lambda: len(server.registrations) == 4)
    assert "http-403: Not now." in log_of(agent.folder)
    server.refuse.clear()
    run(agent, clock, lambda: len(server.issued) == 2)
    assert enrolments(server)[-1] == "simplereenroll"


class LostError(Exception):
    """The process dies here."""


@pytest.mark.parametrize("way", ["first", "renewal", "proof"])
@pytest.mark.parametrize("lost", ["request", "answer"])
def test_killed_while_it_asks_it_sends_the_very_same_request_again(
    agent: Agent, server: Server, wire: Wire, clock: Clock, way: str, lost: str
) -> None:
    if way != "first":
        agent.step()
        clock.turn(hours=165) if way == "renewal" else clock.turn(days=40)
    before = len(server.issued)
    sent: list[bytes] = []

    def die(_door: Door, request: Request, _reply: object = None) -> None:
        if request.path.endswith(ENROLMENTS):
            sent.append(request.body)
            raise LostError

    if lost == "request":
        wire.before = die
    else:
        wire.after = die
    with pytest.raises(LostError):
        agent.step()
    wire.before, wire.after = _noting(sent), Wire(server).after
    agent = again(agent, clock, wire)
    run(agent, clock, lambda: agent.state.identity is not None and not agent.state.request)
    assert len(server.issued) == before + 1
    assert len(set(sent)) == 1
    assert len(list((agent.folder / "keys").glob("*.key"))) == 1


def _noting(sent: list[bytes]) -> Callable[[Door, Request], None]:
    def note(_door: Door, request: Request) -> None:
        if request.path.endswith(ENROLMENTS):
            sent.append(request.body)

    return note


def test_a_lost_answer_to_a_renewal_does_not_lock_it_out(
    agent: Agent, server: Server, wire: Wire, clock: Clock
) -> None:
    """The server takes the newest key that it certified for the last one: here one whose certificate never arrived."""
    agent.step()
    clock.turn(hours=165)

    def cut(_door: Door, request: Request, _reply: Reply) -> None:
        if request.path.endswith(ENROLMENTS):
            raise UnreachableError("The connection broke (ConnectionResetError).", connected=True)

    wire.after = cut
    agent.step()
    assert len(server.issued) == 2
    clock.turn(days=30)
    wire.after = Wire(server).after
    run(agent, clock, lambda: not agent.state.request)
    assert len(server.issued) == 3


def test_answers_that_do_not_hold_leave_few_keys_and_lock_nobody_out(
    agent: Agent, server: Server, clock: Clock
) -> None:
    """What the server certified last may be the key of such an answer."""
    agent.step()
    clock.turn(days=40)  # the certificate has ended: the last key proves
    above, server.intermediate = (
        server.intermediate,
        authorities.below(authorities.root("foreign"), "intermediate", is_ca=True, purposes=authorities.TLS),
    )
    for _ in range(7):
        clock.now = agent.step()
    assert "foreign-certificate" in log_of(agent.folder)
    assert len(list((agent.folder / "keys").glob("*.key"))) <= MOST_DOUBTFUL + 2
    server.intermediate = above
    run(agent, clock, lambda: len(server.registrations) == 2)


def test_a_private_key_that_is_lost_is_asked_for_anew(agent: Agent, server: Server, wire: Wire, clock: Clock) -> None:
    agent.step()
    assert agent.state.identity
    Directory(agent.folder).keys.key_path(agent.state.identity.key).unlink()
    agent = again(agent, clock, wire)
    agent.step()
    assert "key-lost" in log_of(agent.folder)
    server.allowed.add("client.example")
    run(agent, clock, lambda: agent.state.identity is not None)


def test_a_connection_that_breaks_whenever_the_certificate_is_shown_is_a_refusal(
    agent: Agent, server: Server, wire: Wire, clock: Clock
) -> None:
    agent.step()

    def cut(door: Door, _request: Request) -> None:
        if door.tls and door.tls.certificate:
            raise UnreachableError("The connection broke (ConnectionResetError).", connected=True)

    wire.before = cut
    run(agent, clock, lambda: len(server.issued) == 2)
    assert "certificate-refused" in log_of(agent.folder)


def test_no_secret_is_in_the_logs_or_in_what_is_printed(agent: Agent, server: Server, clock: Clock) -> None:
    server.refuse["/.well-known/est/simpleenroll"] = Reply(401, "text/plain", b"Wrong credential.")
    agent.step()
    del server.refuse["/.well-known/est/simpleenroll"]
    run(agent, clock, lambda: bool(server.registrations))
    assert agent.state.identity
    key = Directory(agent.folder).keys.key_path(agent.state.identity.key)
    body = key.read_text().splitlines()[1]
    shown = log_of(agent.folder) + log_of(agent.folder, "pki-tls.log") + repr(agent.state)
    assert "Wrong credential." in shown
    assert SECRET not in shown
    assert body not in shown
    for path in (key, agent.folder / "state.json"):
        assert path.stat().st_mode & 0o777 == 0o600
    assert SECRET not in "".join(path.read_text() for path in (agent.folder / "keys").iterdir())
