from datetime import UTC, datetime, timedelta

import pytest

from console.lib import durations

NOW = datetime(2026, 11, 21, 22, 40, 5, tzinfo=UTC)


@pytest.mark.parametrize(
    ("away", "words"),
    [
        (timedelta(0), "just now"),
        (timedelta(seconds=-44), "just now"),
        (timedelta(seconds=20), "in a moment"),
        (timedelta(seconds=50), "in 1 minute"),
        (timedelta(minutes=-3), "3 minutes ago"),
        (timedelta(hours=1), "in 1 hour"),
        (timedelta(hours=23, minutes=50), "in 24 hours"),
        (timedelta(days=6), "in 6 days"),
        (timedelta(days=-1460), "1,460 days ago"),
    ],
)
def test_relative(away: timedelta, words: str) -> None:
    assert durations.relative(NOW + away, NOW) == words


@pytest.mark.parametrize(
    ("style", "text"),
    [("", "21 Nov 2026, 22:40 UTC"), ("seconds", "21 Nov 2026, 22:40:05 UTC"), ("date", "21 Nov 2026")],
)
def test_a_stamp_names_its_zone(style: str, text: str) -> None:
    assert durations.stamp(NOW, style) == text


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.25, "250 ms"), (1, "1 s"), (7500, "2 h 5 min"), (273600, "3 d 4 h"), (60, "1 min")]
)
def test_a_length_has_at_most_two_units(seconds: float, text: str) -> None:
    assert durations.length(seconds) == text


@pytest.mark.parametrize(("seconds", "text"), [(3600, "1 hour"), (1800, "30 minutes"), (604_800, "7 days")])
def test_a_choice_of_lengths_is_in_words(seconds: float, text: str) -> None:
    assert durations.whole(seconds) == text
