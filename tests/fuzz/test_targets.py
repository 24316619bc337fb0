"""What the fuzzer begins with is accepted by the readers: otherwise it would never get behind their first checks."""

import pytest

from tests.fuzz.targets import TARGETS


@pytest.mark.parametrize("name", TARGETS)
def test_the_seeds_are_accepted(name: str) -> None:
    target = TARGETS[name]
    seeds = target.seeds()
    assert seeds
    for raw in seeds:
        target.read(raw)
    target.test(b"")
