"""Which squares of a 5 by 5 drawing a digest fills. It is mirrored, because faces and shields are remembered best."""

from collections.abc import Iterator

HUES = 6
_COLUMNS = 3  # the left half and the middle; the right half mirrors the left


def cells(fingerprint_hex: str) -> Iterator[tuple[int, int]]:
    """Yield (column, row) of each filled square; the first 15 hex digits decide, one each."""
    for index, digit in enumerate(fingerprint_hex[: _COLUMNS * 5]):
        if int(digit, 16) % 2:
            continue
        column, row = divmod(index, 5)
        yield column, row
        if column < _COLUMNS - 1:
            yield 4 - column, row


def hue(fingerprint_hex: str) -> int:
    """Return which of the six colours; taken from digits that do not decide the squares."""
    return int(fingerprint_hex[-4:] or "0", 16) % HUES
