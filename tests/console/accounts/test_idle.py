"""How long a session lives."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from console.accounts import idle

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
LIMIT = timedelta(seconds=900)


def session(now: datetime = NOON) -> dict[str, Any]:
    new: dict[str, Any] = {}
    idle.begin(new, now)
    return new


@pytest.mark.parametrize(
    ("later", "end"),
    [
        (timedelta(0), None),
        (timedelta(seconds=899), None),
        (timedelta(seconds=900), idle.End.IDLE),
        (timedelta(hours=12), idle.End.AGE),
        (timedelta(minutes=-30), idle.End.IDLE),
    ],
)
def test_when_a_session_ends(later: timedelta, end: idle.End | None) -> None:
    assert idle.end_of(session(), NOON + later, LIMIT) is end


def test_a_session_without_times_is_over() -> None:
    assert idle.end_of({}, NOON, LIMIT) is idle.End.AGE


def test_no_click_prolongs_twelve_hours() -> None:
    own = session()
    for minutes in range(0, 12 * 60, 10):
        now = NOON + timedelta(minutes=minutes)
        assert idle.end_of(own, now, LIMIT) is None
        idle.touch(own, now, LIMIT)
    assert idle.end_of(own, NOON + timedelta(hours=12), LIMIT) is idle.End.AGE


def test_a_session_is_written_at_most_once_a_minute() -> None:
    own = session()
    writes = [seconds for seconds in range(600) if idle.touch(own, NOON + timedelta(seconds=seconds), LIMIT)]
    assert len(writes) == 9
    assert all(later - earlier >= 60 for earlier, later in pairwise(writes))


@given(st.integers(60, 86_400), st.lists(st.integers(1, 100_000), max_size=30))
def test_a_session_never_outlives_the_limit(limit_seconds: int, pauses: list[int]) -> None:
    limit, own, now, last_click = timedelta(seconds=limit_seconds), session(), NOON, NOON
    for pause in pauses:
        now += timedelta(seconds=pause)
        end = idle.end_of(own, now, limit)
        if now - last_click >= limit:
            assert end is not None
        if end is not None:
            return
        # Too early by a fifth of the limit at most, and by a minute at most.
        assert now - last_click < limit
        last_click = now
        idle.touch(own, now, limit)
