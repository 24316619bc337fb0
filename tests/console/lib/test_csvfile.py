"""Cells that a spreadsheet does not take for formulas."""

import pytest

from console.lib import csvfile


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠"])  # noqa: RUF001
def test_no_cell_is_a_formula(start: str) -> None:
    assert csvfile.cell(f"{start}HYPERLINK(1)") == f"'{start}HYPERLINK(1)"


def test_other_cells_stay_as_they_are() -> None:
    assert [csvfile.cell(value) for value in ("ts1 = 2", "", '{"a":1}', 7, -1)] == ["ts1 = 2", "", '{"a":1}', "7", "-1"]
