"""Sets of numbers as people write them, "3-40, 42": pure, small for numbers that follow each other."""

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from operator import itemgetter


@dataclass(frozen=True)
class Ranges:
    """Ranges that do not touch, in order; the first and the last of each belong to it."""

    pairs: tuple[tuple[int, int], ...] = ()

    @classmethod
    def of(cls, numbers: Iterable[int]) -> "Ranges":
        """Return the ranges of some numbers."""
        return cls.joined((number, number) for number in numbers)

    @classmethod
    def joined(cls, pairs: Iterable[tuple[int, int]]) -> "Ranges":
        """Return what ranges cover together, in whatever order they come and however they overlap."""
        found: list[tuple[int, int]] = []
        for first, last in sorted(pairs):
            if found and first <= found[-1][1] + 1:
                found[-1] = (found[-1][0], max(last, found[-1][1]))
            else:
                found.append((first, last))
        return cls(tuple(found))

    @classmethod
    def parse(cls, text: str) -> "Ranges":
        """Return what `str` wrote; raises ValueError for anything else."""
        pairs = (part.split("-") for part in text.split(", ") if part)
        return cls.joined((int(pair[0]), int(pair[-1])) for pair in pairs)

    def __str__(self) -> str:
        return ", ".join(str(first) if first == last else f"{first}-{last}" for first, last in self.pairs)

    def __contains__(self, number: int) -> bool:
        place = bisect_right(self.pairs, number, key=itemgetter(0)) - 1
        return place >= 0 and number <= self.pairs[place][1]
