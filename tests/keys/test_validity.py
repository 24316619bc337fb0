"""Periods and renewal, as properties over all values (ROT-02, ROT-05 to ROT-07)."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keys.validity import (
    BACKDATE,
    HOUR,
    NEVER,
    effective_hours,
    is_raised,
    period,
    renewal_at,
    renewal_due,
)

NOW = datetime(2026, 11, 22, 12, 0, 0, tzinfo=UTC)
DAYS = st.integers(1, 10_000)
WINDOWS = st.integers(1, 250_000)
MOMENTS = st.datetimes(datetime(2020, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001


@pytest.mark.parametrize(
    ("days", "window", "hours"),
    [(1, 23, 24), (1, 24, 25), (7, 200, 201), (60, 4, 1440), (180, 168, 4320)],
)
def test_examples_of_the_requirements(days: int, window: int, hours: int) -> None:
    """ROT-05, ROT-06."""
    assert effective_hours(days, window) == hours
    assert is_raised(days, window) == (hours > days * 24)


def test_client_key_of_seven_days_and_four_hours() -> None:
    """ROT-02: not renewed at T+6d19h59m, renewed at T+6d20h."""
    made = period(NOW, hours=effective_hours(7, 4))
    ends = (made.not_before, made.not_after, 4)
    assert not renewal_due(*ends, NOW + timedelta(days=6, hours=19, minutes=59, seconds=59))
    assert renewal_due(*ends, NOW + timedelta(days=6, hours=20))


@given(DAYS, WINDOWS)
def test_validity_exceeds_the_window_by_an_hour(days: int, window: int) -> None:
    """ROT-05."""
    assert effective_hours(days, window) >= window + 1
    assert effective_hours(days, window) >= days * 24


@given(MOMENTS, DAYS, WINDOWS, WINDOWS)
def test_no_two_rotations_within_an_hour(moment: datetime, days: int, window: int, later_window: int) -> None:
    """ROT-07: any pair of values, and a window that is changed after the key was made."""
    made = period(moment, hours=effective_hours(days, window))
    for current in (window, later_window):
        due = renewal_at(made.not_before, made.not_after, current)
        assert due is not None
        assert due >= moment.replace(microsecond=0) + HOUR
        assert due <= made.not_after
        assert renewal_due(made.not_before, made.not_after, current, due)
        assert not renewal_due(made.not_before, made.not_after, current, due - timedelta(seconds=1))


@given(MOMENTS, DAYS, st.integers(-500, 500))
def test_a_certificate_lies_within_its_issuer(moment: datetime, days: int, issuer_days: int) -> None:
    end = moment.replace(microsecond=0) + timedelta(days=issuer_days)
    begin = end - timedelta(days=1000)
    made = period(moment, hours=days * 24, issuer_not_before=begin, issuer_not_after=end)
    assert begin <= made.not_before
    assert made.not_after <= end
    assert made.not_after.microsecond == made.not_before.microsecond == 0


def test_a_root_never_expires() -> None:
    """KEY-39: no end, and never due, a thousand years later either."""
    made = period(NOW, hours=None)
    assert made.not_after == NEVER
    assert made.not_before == NOW - BACKDATE
    assert renewal_at(made.not_before, made.not_after, 4) is None
    assert not renewal_due(made.not_before, made.not_after, 4, NOW.replace(year=3026))


def test_absurd_hours_do_not_overflow() -> None:
    assert period(NOW, hours=10**12).not_after == NEVER


def test_clock_set_back_renews_nothing() -> None:
    made = period(NOW, hours=48)
    assert not renewal_due(made.not_before, made.not_after, 4, NOW - timedelta(days=30))
