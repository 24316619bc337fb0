"""A PIN is tried once, whoever tries it: claims across workers, crashes and settings."""

import threading
from dataclasses import replace
from datetime import timedelta

import pytest
from django.db import connection

from console.lib import clock
from console.lib.secret import Secret
from console.servers.models import Server
from hsm import pins
from hsm.device.errors import DeadlineError, HostLostError, PinError, TokenNotFoundError
from hsm.errors import PinRejectedError
from hsm.models.tokens import PinState, PinTrial
from hsm.pins import EnteredPin, Identity

TOKEN = Identity("/m.so", "alpha", "0001")
WRONG = PinError("The token refused the PIN.", code="CKR_PIN_INCORRECT")


def entered(pin: str = "1234", version: str = "a.1") -> EnteredPin:
    return EnteredPin(Secret(pin), version, clock.now(), "Keys.Root.HSMPassword")


def attempt(pin: EnteredPin, error: BaseException | None = None, token: Identity = TOKEN) -> None:
    with pins.trial(token, pin):
        if error:
            raise error


def test_a_right_pin_may_be_tried_again_and_again(server: Server) -> None:
    for _ in range(3):
        attempt(entered())
    assert PinTrial.objects.get().state == PinState.ACCEPTED
    assert pins.accepted(TOKEN, "a.1")


def test_a_rejected_pin_reaches_the_token_once(server: Server) -> None:
    with pytest.raises(PinRejectedError):
        attempt(entered(), WRONG)
    with pytest.raises(PinRejectedError):
        attempt(entered())
    assert pins.rejected(TOKEN, "a.1")
    attempt(entered(version="a.2"))  # entered anew


def test_another_token_has_a_mind_of_its_own(server: Server) -> None:
    with pytest.raises(PinRejectedError):
        attempt(entered(), WRONG)
    attempt(entered(), token=replace(TOKEN, serial="0002"))


def test_the_same_pin_under_another_version_counts_when_it_was_entered_before(server: Server) -> None:
    before, pin = entered(version="b.1"), entered()
    with pytest.raises(PinRejectedError):
        attempt(pin, WRONG)
    with pytest.raises(PinRejectedError):
        attempt(before)
    attempt(replace(before, version="b.2", entered_at=clock.now() + timedelta(seconds=1)))
    attempt(entered("another", "c.1"))


@pytest.mark.parametrize("code", ["CKR_PIN_LOCKED", "CKR_PIN_EXPIRED", "PIN_LENGTH"])
def test_a_refusal_that_says_nothing_about_the_pin_is_not_held_against_it(server: Server, code: str) -> None:
    with pytest.raises(PinError):
        attempt(entered(), PinError("Locked.", code=code))
    attempt(entered())


def test_a_token_that_was_not_reached_leaves_no_trace(server: Server) -> None:
    with pytest.raises(TokenNotFoundError):
        attempt(entered(), TokenNotFoundError("Gone.", code="TOKEN_NOT_FOUND"))
    assert not PinTrial.objects.exists()
    attempt(entered())
    with pytest.raises(TokenNotFoundError):
        attempt(entered(), TokenNotFoundError("Gone.", code="TOKEN_NOT_FOUND"))
    assert pins.accepted(TOKEN, "a.1")


def test_attempts_without_an_answer_come_to_an_end(server: Server) -> None:
    for error in (DeadlineError("Late.", code="DEADLINE"), HostLostError("Lost.", code="MODULE_CRASHED")) * 2:
        if PinTrial.objects.filter(interrupted__gte=pins.INTERRUPTED_AT_MOST).exists():
            break
        with pytest.raises(type(error)):
            attempt(entered(), error)
    with pytest.raises(PinRejectedError, match="did not answer"):
        attempt(entered())
    attempt(entered(version="a.2"))


def test_a_worker_that_died_while_trying_does_not_block_for_ever(server: Server) -> None:
    long_ago = clock.now() - pins.CLAIM_LASTS
    pin = entered()
    attempt(pin)
    PinTrial.objects.update(state=PinState.TRYING, claimed_at=long_ago)
    attempt(pin)
    row = PinTrial.objects.get()
    assert (row.state, row.interrupted) == (PinState.ACCEPTED, 0)


def test_the_mark_does_not_show_the_pin(server: Server) -> None:
    attempt(entered("13572468"))
    row = PinTrial.objects.get()
    assert "13572468" not in str(vars(row))
    assert len(row.pin_mark) == 64


@pytest.mark.django_db(transaction=True)
def test_two_workers_with_one_wrong_pin_make_one_attempt(server: Server) -> None:
    """The second one waits for the first one's answer, and does not try."""
    pin = entered()
    inside, answer = threading.Event(), threading.Event()
    attempts: list[int] = []
    refused: list[BaseException] = []

    def work(number: int) -> None:
        try:
            with pins.trial(TOKEN, pin):
                attempts.append(number)
                inside.set()
                answer.wait(10)
                raise WRONG
        except PinRejectedError as error:
            refused.append(error)
        finally:
            connection.close()

    first, second = (threading.Thread(target=work, args=(number,)) for number in (1, 2))
    first.start()
    assert inside.wait(10)
    second.start()
    answer.set()
    for thread in (first, second):
        thread.join(20)
    assert attempts == [1]
    assert len(refused) == 2
