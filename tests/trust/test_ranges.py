"""Ranges of numbers in words, and back."""

from hypothesis import given
from hypothesis import strategies as st

from trust.ranges import Ranges

NUMBERS = st.sets(st.integers(1, 60))


def test_they_read_as_people_write_them() -> None:
    assert str(Ranges.of([7, 3, 4, 5, 9])) == "3-5, 7, 9"
    assert str(Ranges.of([])) == ""
    assert Ranges.joined([(5, 9), (1, 2), (3, 4), (20, 30), (22, 25)]).pairs == ((1, 9), (20, 30))


@given(NUMBERS)
def test_what_is_written_is_read_again(numbers: set[int]) -> None:
    read = Ranges.parse(str(Ranges.of(numbers)))
    assert {number for number in range(62) if number in read} == numbers
