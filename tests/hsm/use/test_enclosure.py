"""The answer opens with its own key and for its own row only; nothing of it prints."""

import pytest

from console.lib.secret import Secret
from hsm.use.enclosure import Answer, Question, disclose, enclose, new_key, pack, unpack

ROW = "2f9ee3f4-0a84-4e19-9c23-6c6ed0e1b3a2"
DATA = b"the launch code is 00000000"


def test_a_question_comes_back_as_it_was_packed() -> None:
    question = Question(new_key().reveal_bytes(), DATA, b"\x00\xff")
    assert unpack(Secret(pack(question))) == question


@pytest.mark.parametrize("answer", [Answer(DATA), Answer(valid=True), Answer(valid=False)])
def test_an_answer_opens_with_its_key(answer: Answer) -> None:
    key = new_key()
    enclosed = enclose(answer, key.reveal_bytes(), row_id=ROW)
    assert disclose(enclosed, key, row_id=ROW) == answer
    assert DATA not in enclosed


@pytest.mark.parametrize("wrong", [b"", b"short", bytes(32), bytes(33)])
def test_no_other_key_opens_it(wrong: bytes) -> None:
    enclosed = enclose(Answer(DATA), new_key().reveal_bytes(), row_id=ROW)
    assert disclose(enclosed, Secret(wrong), row_id=ROW) is None


def test_it_opens_for_its_own_row_only() -> None:
    key = new_key()
    enclosed = enclose(Answer(DATA), key.reveal_bytes(), row_id=ROW)
    assert disclose(enclosed, key, row_id=ROW.replace("2", "3")) is None
    assert disclose(enclosed[:-1], key, row_id=ROW) is None
    assert disclose(b"", key, row_id=ROW) is None


def test_nothing_of_it_prints() -> None:
    told = repr(Question(b"k" * 32, DATA, b"signature")) + repr(Answer(DATA, valid=True)) + str(new_key())
    for hidden in ("launch", "kkkk", "signature=", "True"):
        assert hidden not in told
