"""TLS adoption over time as a picture: where its lines, areas, words and marks stand. Pure; the template draws it.

Lengths are units of the SVG's own system, which is WIDTH by HEIGHT.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

WIDTH, HEIGHT = 760, 168
LEFT, RIGHT, TOP, BOTTOM = 40, 756, 8, 140
DAYS = 60
X_TICKS, Y_TICKS = 5, 4
LINE_HEIGHT = 14
TEXT_WIDTH = 6.2  # of one character, at the size of the words in the picture


@dataclass(frozen=True)
class Day:
    """How clients were registered on a day."""

    day: date
    using_tls: int
    unencrypted: int

    @property
    def total(self) -> int:
        """All of them."""
        return self.using_tls + self.unencrypted

    @property
    def percent(self) -> float | None:
        """How many of a hundred used TLS; None without clients."""
        return 100 * self.using_tls / self.total if self.total else None


@dataclass(frozen=True)
class Change:
    """A setting that decides about TLS was changed."""

    at: datetime
    text: str


@dataclass(frozen=True)
class Tick:
    """A word at an axis."""

    at: float
    text: str

    @property
    def text_y(self) -> float:
        """Where the word stands beside a line at this height."""
        return round(self.at + 4, 1)


@dataclass(frozen=True)
class Marker:
    """A change, as an upright line with words beside it, on lines that do not cover each other."""

    x: float
    y: float
    text_x: float
    anchor: str
    text: str


@dataclass(frozen=True)
class Picture:
    """Paths are SVG path data; `since` and `until` are what the picture covers."""

    tls_area: str
    plain_area: str
    tls_line: str
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    markers: tuple[Marker, ...]
    width: int = WIDTH
    height: int = HEIGHT
    left: int = LEFT
    right: int = RIGHT
    top: int = TOP
    bottom: int = BOTTOM


def draw(days: Sequence[Day], changes: Sequence[Change], until: date) -> Picture | None:
    """Return the picture of the DAYS that end with `until`, oldest day first; None for less than two days."""
    since = until - timedelta(days=DAYS - 1)
    shown = [day for day in days if since <= day.day <= until]
    if len(shown) < 2:
        return None
    # The axis begins where the numbers do, so that the first week is not a sliver at the right.
    frame = _Frame(shown[0].day, until, ceiling(max(day.total for day in shown)))
    return Picture(
        tls_area=frame.area([(day.day, 0, day.using_tls) for day in shown]),
        plain_area=frame.area([(day.day, day.using_tls, day.total) for day in shown]),
        tls_line=frame.line([(day.day, day.using_tls) for day in shown]),
        x_ticks=frame.x_ticks(),
        y_ticks=frame.y_ticks(),
        markers=tuple(frame.markers(changes)),
    )


def ceiling(most: int) -> int:
    """Return a round number at or above the most, which the axis can divide into Y_TICKS whole parts."""
    size = 1
    while True:
        for step in (4, 8, 12, 16, 20, 24, 32):
            if most <= step * size:
                return step * size
        size *= 10


def short(number: int) -> str:
    """Return a number of clients as it fits an axis: 750, 2.5k, 1M."""
    for size, letter in ((1_000_000, "M"), (1_000, "k")):
        if number >= size:
            return f"{number / size:.3g}{letter}"
    return str(number)


@dataclass(frozen=True)
class _Frame:
    since: date
    until: date
    most: int

    def x(self, at: date) -> float:
        days = max(1, (self.until - self.since).days)
        return round(LEFT + (RIGHT - LEFT) * (at - self.since).days / days, 1)

    def y(self, number: int) -> float:
        return round(BOTTOM - (BOTTOM - TOP) * number / self.most, 1)

    def line(self, points: Sequence[tuple[date, int]]) -> str:
        return "M" + "L".join(f"{self.x(day)} {self.y(number)}" for day, number in points)

    def area(self, bands: Sequence[tuple[date, int, int]]) -> str:
        above = [(day, high) for day, _, high in bands]
        below = [(day, low) for day, low, _ in reversed(bands)]
        return self.line([*above, *below]) + "Z"

    def x_ticks(self) -> tuple[Tick, ...]:
        days = (self.until - self.since).days
        steps = min(X_TICKS - 1, days)
        shown = [self.since + timedelta(days=round(days * step / steps)) for step in range(steps + 1)]
        return tuple(Tick(self.x(day), f"{day.day} {day:%b}") for day in shown)

    def y_ticks(self) -> tuple[Tick, ...]:
        numbers = [self.most * step // Y_TICKS for step in range(Y_TICKS + 1)]
        return tuple(Tick(self.y(number), short(number)) for number in numbers)

    def markers(self, changes: Sequence[Change]) -> list[Marker]:
        """Return the changes within the frame; words that would meet others take the line above."""
        placed: list[tuple[float, float, int]] = []
        made = []
        for change in changes:
            if not self.since <= change.at.date() <= self.until:
                continue
            x, width = self.x(change.at.date()), len(change.text) * TEXT_WIDTH
            leftwards = x + 6 + width > RIGHT
            begin, end = (x - 6 - width, x - 6) if leftwards else (x + 6, x + 6 + width)
            row = next(row for row in range(len(placed) + 1) if not _meets(placed, begin, end, row))
            placed.append((begin, end, row))
            y = BOTTOM - 8 - row * LINE_HEIGHT
            made.append(
                Marker(x, max(y, TOP + 10), x - 6 if leftwards else x + 6, "end" if leftwards else "start", change.text)
            )
        return made


def _meets(placed: Sequence[tuple[float, float, int]], begin: float, end: float, row: int) -> bool:
    return any(row == other and begin < right and left < end for left, right, other in placed)
