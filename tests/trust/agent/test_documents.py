"""Which documents a client takes, and what follows from them."""

import pytest

from tests.trust import authorities
from tests.trust.agent.reference import Clock, Server, log_of, run
from trust.agent import answering
from trust.agent.agent import Agent
from trust.agent.directory import Directory
from trust.agent.errors import SetupError


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


def test_of_questions_that_it_cannot_answer_it_remembers_the_last(
    agent: Agent, server: Server, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(answering, "MOST_WAITING", 2)
    Directory(agent.folder).settings.set_local("TLSMode", 0)
    server.require_tls = False
    asked = [server.ask("using-tls", sequence=number) for number in (1, 2, 3)]
    run(agent, clock, lambda: agent.state.sequences.question == 3)
    assert [answer.question for answer in agent.state.answers] == asked[1:]


def test_the_order_to_reset_forgets_what_the_server_no_longer_names(agent: Agent, server: Server, clock: Clock) -> None:
    agent.step()
    agent.state.roots["0" * 64] = authorities.root("left over").der
    server.order("reset-trust", audience="id-of-client", trust_list=1)
    run(agent, clock, lambda: agent.state.sequences.own_directive == 1)
    assert set(agent.state.roots) == {server.roots[0].fingerprint}
    run(agent, clock, lambda: server.registrations[-1][0].full)
    server.order("re-enrol", audience="id-of-client", sequence=2)
    run(agent, clock, lambda: len(server.issued) == 2)


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
    # What an administrator wrote with a slip counts for nothing, and is not lost.
    (agent.folder / "settings.json").write_text('{"TLSMode": 1, "ServerNameList" "a.example"}')
    assert settings.all() == {}
    settings.set_local("TLSMode", 1)
    assert settings.all() == {"TLSMode": 1}
    assert "a.example" in (agent.folder / "settings.json.damaged").read_text()
