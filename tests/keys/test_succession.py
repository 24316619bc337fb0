"""Which root replaces which: pure decisions."""

import uuid

import pytest

from keys import succession
from keys.models.root import Root, RootKind, RootState

SERVER, PEER = uuid.uuid4(), uuid.uuid4()


def root(number: int | None, **values: object) -> Root:
    kind = RootKind.LEGACY if number is None else RootKind.ROOT
    return Root(**{"number": number, "kind": kind, "state": RootState.ACTIVE, "server_id": SERVER, **values})


def test_only_a_later_active_root_of_the_same_server_replaces() -> None:  # KEY-24, AMB-48
    old = root(1)
    others = [root(0), root(None), root(2, state=RootState.REVOKED), root(3, server_id=PEER), root(4, state="failed")]
    assert succession.replacement(old, [old, *others], set()) is None
    new = root(5)
    assert succession.replacement(old, [old, new, *others], set()) is new


def test_a_root_that_leaves_replaces_nothing() -> None:
    old, middle, new = root(0), root(1), root(2)
    every = [old, middle, new]
    assert succession.replacement(old, every, {new.pk}) is middle
    assert succession.replacement(old, every, {new.pk, middle.pk}) is None


@pytest.mark.parametrize(
    ("doubting", "expected"),
    [(None, {(0, 1), (0, 2), (1, 2)}), (1, {(1, 2)}), (2, {(0, 1)})],
)
def test_pairs_do_not_reach_across_a_root_made_in_doubt(doubting: int | None, expected: set[tuple[int, int]]) -> None:
    every = [root(number, in_doubt=number == doubting) for number in range(3)]
    found = {(older.number, newer.number) for older, newer in succession.pairs([*every, root(None)], every)}
    assert found == expected


def test_a_revoked_root_made_in_doubt_still_separates() -> None:
    made = [root(0), root(1, in_doubt=True, state=RootState.REVOKED), root(2)]
    assert list(succession.pairs(made, made)) == []
