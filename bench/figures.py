"""Times and what is made of them."""

import math
import time
from collections.abc import Callable, Sequence
from statistics import median


def times_ms(call: Callable[[], object], rounds: int, *, warm_up: int = 3) -> list[float]:
    """Return how long each round of a call took, in milliseconds; the first ones do not count."""
    taken = []
    for number in range(warm_up + rounds):
        began = time.perf_counter()
        call()
        if number >= warm_up:
            taken.append((time.perf_counter() - began) * 1000)
    return taken


def p50(values: Sequence[float]) -> float:
    """Return the median."""
    return median(values)


def p95(values: Sequence[float]) -> float:
    """Return the value that 95 of 100 do not pass (nearest rank)."""
    return sorted(values)[math.ceil(0.95 * len(values)) - 1]
