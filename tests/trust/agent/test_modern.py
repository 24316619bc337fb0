"""Client 7.4 or later: what it does when, what it believes, and how it comes back from whatever happened."""

from collections.abc import Callable
from datetime import timedelta
from functools import partial
from itertools import pairwise
from pathlib import Path

import msgspec
import pytest
from cryptography import x509

from tests.trust import authorities
from tests.trust.agent.reference import SECRET, START, Clock, Server, Wire, begin, log_of, middle, offline, run
from trust.agent import keys
from trust.agent.agent import Agent
from trust.agent.directory import Directory
from trust.agent.errors import ServerNotTrustedError, SetupError, UnreachableError
from trust.agent.transport import Door, Reply, Request
from trust.wire import signatures

ENROLMENTS = ("simpleenroll", "simplereenroll")


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def server(clock: Clock) -> Server:
    return Server(clock)


@pytest.fixture
def wire(server: Server) -> Wire:
    return Wire(server)


@pytest.fixture
def agent(tmp_path: Path, server: Server, wire: Wire) -> Agent:
    return begin(tmp_path, server, wire)


def again(agent: Agent, clock: Clock, wire: Wire) -> Agent:
    """Return the client as it is after a restart."""
    return Agent(agent.folder, clock=clock, transport=wire, jitter=middle)


def drawn(draw: float, low: float, high: float) -> float:
    return low + draw * (high - low)


def enrolments(server: Server) -> list[str]:
    return [path.rsplit("/", 1)[-1] for path in server.asked if path.endswith(ENROLMENTS)]


def root_of(agent: Agent) -> str:
    assert agent.state.identity
    return agent.state.identity.root


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


def test_a_lower_sequence_is_refused_into_the_log(agent: Agent, server: Server, clock: Clock) -> None:
    server.tell({"TLSMode": 1, "PKIClientTLSKeyRenewalWindowHours": 9}, sequence=7)
    agent.step()
    server.brings_everything = True
    server.documents = [server.tell({"PKIClientTLSKeyRenewalWindowHours": 1}, sequence=6)]
    clock.now = agent.due
    agent.step()
    assert "document-refused" in log_of(agent.folder)
    assert "old-sequence" in log_of(agent.folder)
    assert (agent.folder / "settings.json").read_text().count("9")


@pytest.mark.parametrize("code", ["expired", "foreign-document", "unknown-signer", "bad-signature"])
def test_a_document_that_does_not_hold_changes_nothing(agent: Agent, server: Server, clock: Clock, code: str) -> None:
    agent.step()
    if code == "unknown-signer":
        server.signer = authorities.below(server.intermediate, "m", purposes=[authorities.MESSAGE_SIGNING])
    if code == "bad-signature":
        server.signer = authorities.Holder("thief", authorities.root("thief").key, server.signer.der)
    server.tell({"TLSMode": 0}, audience="another" if code == "foreign-document" else "*")
    if code == "expired":
        # The server's clock counts: the client's own is wrong here, by a day.
        clock.turn(days=8)
    clock.now = max(clock.now, agent.due)
    agent.step()
    assert not (agent.folder / "settings.json").exists()
    assert f"{code}:" in log_of(agent.folder)


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


@pytest.mark.parametrize("fault", ["unknown-signer", "bad-signature"])
def test_it_answers_a_question_and_says_when_one_does_not_verify(  # KEY-47, AMB-03
    agent: Agent, server: Server, clock: Clock, fault: str
) -> None:
    agent.step()
    good = server.ask("computer-name", sequence=1)
    run(agent, clock, lambda: bool(server.answers))
    assert [(answer.question, answer.value) for answer in server.answers] == [(good, "client.example")]
    if fault == "bad-signature":
        server.signer = authorities.Holder("thief", authorities.root("thief").key, server.signer.der)
    else:
        server.signer = authorities.below(authorities.root("foreign"), "m", purposes=[authorities.MESSAGE_SIGNING])
    bad = server.ask("computer-name", sequence=2)
    run(agent, clock, lambda: len(server.answers) == 2)
    assert (server.answers[1].question, server.answers[1].failed) == (bad, True)
    for _ in range(3):
        clock.now = agent.step()
    assert len(server.answers) == 2


def test_the_order_to_reset_forgets_what_the_server_no_longer_names(agent: Agent, server: Server, clock: Clock) -> None:
    agent.step()
    agent.state.roots["0" * 64] = authorities.root("left over").der
    server.order("reset-trust", audience="id-of-client", trust_list=1)
    run(agent, clock, lambda: agent.state.sequences.own_directive == 1)
    assert set(agent.state.roots) == {server.roots[0].fingerprint}
    run(agent, clock, lambda: server.registrations[-1][0].full)
    server.order("re-enrol", audience="id-of-client", sequence=2)
    run(agent, clock, lambda: len(server.issued) == 2)


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


def test_settings_of_the_server_have_a_prefix_and_local_ones_win(agent: Agent, server: Server) -> None:
    server.tell({"PKIClientTLSKeyRenewalWindowHours": 9, "ServerNameList": "server.example"})
    server.tell({"PKIClientTLSKeyRenewalWindowHours": 8}, audience="id-of-client")
    agent.step()
    settings = Directory(agent.folder).settings
    assert settings.all() == {"Server_PKIClientTLSKeyRenewalWindowHours": 8, "Server_ServerNameList": "server.example"}
    settings.set_local("PKIClientTLSKeyRenewalWindowHours", 7)
    assert settings.number("PKIClientTLSKeyRenewalWindowHours") == 7
    settings.set_local("PKIClientTLSKeyRenewalWindowHours", "rubbish")
    assert settings.number("PKIClientTLSKeyRenewalWindowHours") == 8
    with pytest.raises(SetupError):
        settings.set_local("Server_TLSMode", 0)


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


def test_a_renewal_that_is_refused_does_not_end_the_registrations(agent: Agent, server: Server, clock: Clock) -> None:
    agent.step()
    server.refuse["/.well-known/est/simplereenroll"] = Reply(403, "text/plain", b"Not now.\n")
    clock.now = START + timedelta(hours=165)
    run(agent, clock, lambda: len(server.registrations) == 4)
    assert "http-403: Not now." in log_of(agent.folder)
    server.refuse.clear()
    run(agent, clock, lambda: len(server.issued) == 2)
    assert enrolments(server)[-1] == "simplereenroll"


def test_a_client_that_was_revoked_comes_again_in_an_hour(agent: Agent, server: Server, clock: Clock) -> None:
    agent.step()
    said = b'{"code":"client-revoked","message":"This client was revoked on this server."}'
    server.refuse["/v1/registrations"] = Reply(403, "application/json", said)
    clock.now = agent.due
    assert agent.step() - clock.now >= timedelta(hours=1)


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
