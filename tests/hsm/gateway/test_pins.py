"""Which PIN the token may see (GRP-41, DMN-26): one unverified try per token in 15 minutes, over all clients."""

import os
import signal
import threading

from tests.fixtures.processes import wait_for
from tests.hsm.gateway.asking import Answer, health
from tests.hsm.gateway.conftest import Served

WRONG, OTHER = "11112222", "33334444"


def test_the_first_pin_is_tried_and_then_known(failing: Served) -> None:
    with failing.client() as client:
        assert client.ask("token").status == 200
        failing.faulty.forget_calls()
        assert client.ask("token").status == 200
        assert "C_Login" not in failing.faulty.calls()


def test_a_wrong_pin_is_tried_once_over_all_clients_and_over_restarts(failing: Served) -> None:
    with failing.client(WRONG) as client:
        refused = client.ask("token")
        assert (refused.status, refused.code) == (403, "CKR_PIN_INCORRECT")
        assert "HSMPassword" not in refused.body["next_step"]  # that is a setting of the console
        failing.faulty.forget_calls()
        again = client.ask("token")
        assert (again.status, again.code) == (403, "PIN_REJECTED_BEFORE")
    with failing.client(OTHER) as client:
        _assert_waits(client.ask("token"))
    with failing.client() as client:
        _assert_waits(client.ask("token"))  # it is not known to be right
    failing.gateway.stop()
    failing.gateway.start()
    with failing.client() as client:
        _assert_waits(client.ask("token"))
    assert "C_Login" not in failing.faulty.calls()
    assert health(failing.gateway) == 204
    # What the operator can do: the file says so itself.
    (tried,) = failing.gateway.state_dir.glob("tried-*")
    assert "Remove this file" in tried.read_text()
    tried.unlink()
    with failing.client() as client:
        assert client.ask("token").status == 200
    assert list(failing.gateway.state_dir.glob("tried-*")) == []


def test_a_pin_that_is_known_goes_on_beside_wrong_ones(failing: Served) -> None:
    with failing.client() as right, failing.client(WRONG) as wrong:
        assert right.ask("token").status == 200
        assert wrong.ask("token").status == 403
        for _ in range(3):
            assert right.ask("probe").status == 200
        assert wrong.ask("token").code == "PIN_REJECTED_BEFORE"


def test_killed_while_the_token_looks_at_the_pin_the_try_counts(failing: Served) -> None:
    failing.faulty.order("C_Login before hang")
    answers: list[Exception | Answer] = []

    def ask() -> None:
        try:
            with failing.client() as client:
                answers.append(client.ask("token"))
        except OSError as error:
            answers.append(error)

    thread = threading.Thread(target=ask)
    thread.start()
    wait_for(lambda: "C_Login" in failing.faulty.calls(), 60, "the login")
    failing.gateway.kill()
    thread.join(60)
    failing.faulty.behave()
    failing.faulty.forget_calls()
    failing.gateway.start()
    with failing.client() as client:
        _assert_waits(client.ask("token"))
    assert "C_Login" not in failing.faulty.calls()
    assert isinstance(answers[0], Exception)


def test_a_try_that_the_token_never_saw_is_given_back(failing: Served) -> None:
    failing.faulty.order("C_GetTokenInfo before return 0xe0")  # CKR_TOKEN_NOT_PRESENT
    with failing.client() as client:
        assert client.ask("token").status in (404, 503)
        failing.faulty.behave()
        wait_for(lambda: client.ask("token").status == 200, 60, "the login after the token came back")


def test_one_try_of_many_at_once(failing: Served) -> None:
    answers: list[Answer] = []

    def ask(pin: str) -> None:
        with failing.client(pin) as client:
            answers.append(client.ask("token"))

    threads = [threading.Thread(target=ask, args=(f"9999{number:04}",)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(answer.status for answer in answers) == [403, *[429] * 7]
    assert failing.faulty.calls().count("C_Login") == 1


def test_locked_and_final_try_are_respected(failing: Served) -> None:
    for flag, code in (("0x40000", "PIN_LOCKED"), ("0x20000", "PIN_FINAL_TRY")):
        failing.faulty.order(f"C_GetTokenInfo after flags {flag}")
        with failing.client() as client:
            answer = client.ask("token")
            assert (answer.status, answer.code) == (403, code)
    assert "C_Login" not in failing.faulty.calls()
    failing.faulty.behave()
    with failing.client() as client:
        assert client.ask("token").status == 200


def test_a_changed_pin_is_taken_up_and_the_former_one_forgotten(fresh: Served) -> None:
    fresh.gateway.start()
    with fresh.client() as client, fresh.client("97531864") as later:
        assert client.ask("token").status == 200
        fresh.farm.change_pin(fresh.token, "97531864")
        assert later.ask("token").status == 200
        former = client.ask("token")
        assert (former.status, former.code) == (403, "CKR_PIN_INCORRECT")
        assert later.ask("token").status == 200


def test_a_known_pin_that_the_token_no_longer_takes_is_shown_to_it_once(fresh: Served) -> None:
    fresh.gateway.start()
    with fresh.client() as client:
        assert client.ask("token").status == 200
        fresh.farm.change_pin(fresh.token, "97531864")
        for pid in fresh.gateway.hosts():
            os.kill(pid, signal.SIGKILL)
        answers = [client.ask("probe").body.get("code")]
        while answers[-1] != "PIN_REJECTED_BEFORE":
            assert len(answers) < 10, answers
            answers.append(client.ask("probe").body.get("code"))
        assert answers.count("CKR_PIN_INCORRECT") == 1  # after at most one call into the host that was killed
    with fresh.client("97531864") as client:
        _assert_waits(client.ask("token"))


def test_a_try_that_cannot_be_written_down_is_not_made(failing: Served) -> None:
    failing.gateway.state_dir.rename(failing.gateway.folder / "gone")
    with failing.client() as client:
        answer = client.ask("token")
    assert (answer.status, answer.code, answer.body["error_class"]) == (500, "GATEWAY_FAULT", "device")
    assert "C_Login" not in failing.faulty.calls()


def test_pins_are_in_no_log_and_no_file(fresh: Served) -> None:
    fresh.gateway.start()
    for pin in (WRONG, fresh.token.pin):
        with fresh.client(pin) as client:
            client.ask("token")
            client.send(
                "POST", "/v1/token", b'{"pin": "%s", "x": 1' % pin.encode(), {"Content-Type": "application/json"}
            )
    written = fresh.gateway.log + "".join(path.read_text() for path in fresh.gateway.state_dir.iterdir())
    assert WRONG not in written
    assert fresh.token.pin not in written
    assert "CKR_PIN_INCORRECT" in written  # the log is there


def _assert_waits(answer: Answer) -> None:
    assert (answer.status, answer.code) == (429, "GATEWAY_PIN_UNVERIFIED_WAIT")
    assert 0 < answer.body["retry_after_s"] <= 900
    assert answer.headers["retry-after"] == str(answer.body["retry_after_s"])
