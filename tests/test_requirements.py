"""docs/requirements.md is complete, and names only tests that exist."""

import ast
import re
from collections import Counter
from dataclasses import dataclass
from functools import cache

import pytest

from console.env import BASE_DIR
from settings_store.catalogue import ENTRIES

# Rows of each area, which are numbered from 01. SUM has a row for each setting instead.
AREAS = {
    "STK": 8, "ROL": 9, "NAV": 10, "SET": 48, "HSI": 48, "KEY": 59, "LOG": 5, "BND": 16, "ROT": 20, "TLS": 36,
    "CLI": 5, "GRP": 49, "POL": 20, "SOB": 28, "DMN": 33, "IDN": 64, "TRU": 20, "MIS": 13, "AMB": 49,
}  # fmt: skip
PARTS = ("peer server", "applications", "packages of the gateway", "HSM identities", "Zone Servers")
TEST = re.compile(r"`(tests/[\w/]+\.py)::(test_\w+)`")
FILE = re.compile(r"`((?:[\w.-]+/)*[\w.-]+\.(?:py|md|toml))(?:::\w+)?`")


@dataclass(frozen=True)
class Row:
    """One line of a table."""

    id: str
    text: str
    state: str
    proof: str


def read() -> list[Row]:
    """Return every row of every table, its cells split at the bars that are not escaped."""
    lines = (BASE_DIR / "docs/requirements.md").read_text(encoding="utf-8").splitlines()
    cells = [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines if line.startswith("| ")]
    assert all(len(row) == 4 for row in cells)
    return [Row(*row) for row in cells if row[0] != "id"]


ROWS = read()


@cache
def collected(path: str) -> frozenset[str]:
    """Return the names of the test functions of a file that pytest collects."""
    tree = ast.parse((BASE_DIR / path).read_text(encoding="utf-8"))
    return frozenset(node.name for node in tree.body if isinstance(node, ast.FunctionDef))


def test_every_row_of_every_area_stands_once() -> None:
    expected = [f"{area}-{number:02}" for area, count in AREAS.items() for number in range(1, count + 1)]
    expected += [f"`{name}`" for name in ENTRIES]
    assert [name for name, count in Counter(row.id for row in ROWS).items() if count > 1] == []
    assert {row.id for row in ROWS} == set(expected)


def test_every_row_says_what_and_how_far() -> None:
    for row in ROWS:
        assert len(row.text) > 10, row.id
        assert row.state in {"done", "later", "not applicable"}, row.id
        assert row.proof, row.id


@pytest.mark.parametrize("state", ["done", "later"])
def test_a_state_has_its_reason(state: str) -> None:
    for row in (row for row in ROWS if row.state == state):
        if state == "done":
            assert TEST.search(row.proof), row.id
        else:
            assert row.proof.startswith("a later version: "), row.id
            assert any(part in row.proof for part in PARTS), row.id


def test_every_test_that_is_named_exists() -> None:
    named = {(path, name) for row in ROWS for path, name in TEST.findall(row.proof)}
    assert len(named) > 100
    missing = [f"{path}::{name}" for path, name in sorted(named) if name not in collected(path)]
    assert missing == []


def test_every_file_that_is_named_exists() -> None:
    named = {path for row in ROWS for path in FILE.findall(row.proof)}
    assert [path for path in sorted(named) if not (BASE_DIR / path).is_file()] == []
