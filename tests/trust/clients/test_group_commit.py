"""Group commit: who comes together is stored together, each hears what became of its own, and nobody waits for ever."""

import threading
from collections.abc import Callable

from django.db import IntegrityError, OperationalError

from tests.fixtures.processes import wait_for
from trust.clients.group_commit import GroupCommit


class Store:
    """Stores words; the word `hold` keeps its commit going until the others wait."""

    def __init__(self, waiting: int) -> None:
        self.groups: list[list[str]] = []
        self.refuses: Callable[[list[str]], Exception | None] = lambda _group: None
        self.commits: GroupCommit[str] = GroupCommit(self._commit, kind=lambda word: word[0].isupper())
        self._waiting = waiting

    def _commit(self, group: list[str]) -> None:
        if group == ["hold"]:
            wait_for(lambda: len(self.commits._waiting) == self._waiting, what="the others")
        self.groups.append(sorted(group))
        if fault := self.refuses(group):
            raise fault

    def at_once(self, *words: str) -> dict[str, BaseException | None]:
        """Store `hold`, and meanwhile the words; return what each heard."""
        heard: dict[str, BaseException | None] = {}

        def work(word: str) -> None:
            try:
                self.commits.store(word)
            except Exception as fault:  # noqa: BLE001 - it is what the test asks for
                heard[word] = fault
            else:
                heard[word] = None

        threads = [threading.Thread(target=work, args=(word,)) for word in ("hold", *words)]
        threads[0].start()
        wait_for(lambda: self.commits._is_led, what="the first")
        for thread in threads[1:]:
            thread.start()
        for thread in threads:
            thread.join(60)
        assert not any(thread.is_alive() for thread in threads)
        return heard


def test_one_alone_waits_for_nobody() -> None:
    store = Store(waiting=0)
    store.commits.store("a")
    store.commits.store("b")
    assert store.groups == [["a"], ["b"]]


def test_those_of_a_kind_go_together_and_the_others_after_them() -> None:
    store = Store(waiting=5)
    heard = store.at_once("a", "b", "C", "d", "E")
    assert store.groups[0] == ["hold"]
    assert sorted(store.groups[1:]) == [["C", "E"], ["a", "b", "d"]]
    assert heard == dict.fromkeys(("hold", "a", "b", "C", "d", "E"))


def test_one_that_is_refused_takes_no_other_with_it() -> None:
    store = Store(waiting=3)
    store.refuses = lambda group: IntegrityError("b is taken") if "b" in group else None
    heard = store.at_once("a", "b", "c")
    assert store.groups[:2] == [["hold"], ["a", "b", "c"]]
    assert sorted(store.groups[2:]) == [["a"], ["b"], ["c"]]
    assert isinstance(heard.pop("b"), IntegrityError)
    assert heard == dict.fromkeys(("hold", "a", "c"))


def test_a_database_that_fails_is_asked_once_for_all_of_them_and_the_next_is_stored() -> None:
    store = Store(waiting=2)
    store.refuses = lambda group: OperationalError("the database is away") if group != ["hold"] else None
    heard = store.at_once("a", "b")
    assert heard.pop("hold") is None
    assert [type(fault) for fault in heard.values()] == [OperationalError] * 2
    store.refuses = lambda _group: None
    store.commits.store("c")
    assert store.groups == [["hold"], ["a", "b"], ["c"]]
