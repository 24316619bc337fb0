from console.lib import digest, glyphs


def test_a_glyph_is_mirrored_and_stays_in_its_square() -> None:
    cells = set(glyphs.cells(digest.sha256_hex(b"a key")))
    assert cells
    assert cells == {(4 - x, y) for x, y in cells}
    assert all(0 <= x < 5 and 0 <= y < 5 for x, y in cells)


def test_each_digit_that_decides_a_square_changes_the_drawing() -> None:
    base = "1" * 64
    drawings = {frozenset(glyphs.cells(base[:i] + "0" + base[i + 1 :])) for i in range(15)}
    assert len(drawings) == 15


def test_six_colours() -> None:
    assert {glyphs.hue(f"{n:064x}") for n in range(12)} == set(range(6))
