"""A value that is read once in a while: nobody waits for a slow database who can do with the former value."""

import threading

import pytest

from console.lib.errors import UnavailableError
from trust.clients import fresh
from trust.clients.fresh import USABLE_S, Fresh


class Database:
    """Says how often it was asked; `hold` makes it slow."""

    def __init__(self) -> None:
        self.asked = 0
        self.goes_on, self.is_asked = threading.Event(), threading.Event()
        self.goes_on.set()
        self.is_broken = False

    def read(self, key: str) -> str:
        self.asked += 1
        self.is_asked.set()
        assert self.goes_on.wait(60)
        if self.is_broken:
            raise OSError("away")
        return f"{key} {self.asked}"

    def hold(self) -> None:
        self.goes_on.clear()
        self.is_asked.clear()


def test_it_is_read_anew_when_it_is_old_or_for_another_key() -> None:
    database, moment = Database(), 0.0
    kept = Fresh(database.read, lambda: moment)
    assert [kept.get("a", 1.0), kept.get("a", 1.0)] == ["a 1", "a 1"]
    moment = 1.0
    assert kept.get("a", 1.0) == "a 2"
    assert kept.get("b", 1.0) == "b 3"
    kept.forget()
    assert kept.get("b", 1.0) == "b 4"


def test_one_waits_for_a_slow_database_and_the_others_go_on() -> None:
    database, moment = Database(), 0.0
    kept = Fresh(database.read, lambda: moment)
    kept.get("a", 1.0)
    moment = 2.0
    database.hold()
    found: list[str] = []
    reader = threading.Thread(target=lambda: found.append(kept.get("a", 1.0)))
    reader.start()
    assert database.is_asked.wait(60)
    assert [kept.get("a", 1.0) for _ in range(3)] == ["a 1"] * 3
    database.goes_on.set()
    reader.join(60)
    assert (found, kept.get("a", 1.0), database.asked) == (["a 2"], "a 2", 2)


def test_where_there_is_nothing_one_asks_and_the_others_are_told_to_come_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    database, moment = Database(), 0.0
    kept = Fresh(database.read, lambda: moment)
    kept.get("a", 1.0)
    database.hold()
    moment = USABLE_S  # too old to go by
    reader = threading.Thread(target=lambda: kept.get("a", 1.0))
    reader.start()
    assert database.is_asked.wait(60)
    with monkeypatch.context() as patch:
        patch.setattr(fresh, "USABLE_S", 0.01)
        for key in ("a", "b"):
            with pytest.raises(UnavailableError):
                kept.get(key, 1.0)
    database.goes_on.set()
    reader.join(60)
    assert kept.get("a", 1.0) == "a 2"


def test_a_fault_is_told_and_the_next_one_asks_again() -> None:
    database, moment = Database(), 0.0
    kept = Fresh(database.read, lambda: moment)
    kept.get("a", 1.0)
    moment, database.is_broken = 2.0, True
    with pytest.raises(OSError, match="away"):
        kept.get("a", 1.0)
    database.is_broken = False
    assert kept.get("a", 1.0) == "a 3"
