"""Enrolments a second on SQLite in WAL with every commit on the disk, against cfssl on SQLite set the same."""

from bench import enrolling


def measure() -> dict[str, float]:
    """Return the figures of `bench.enrolling`."""
    return enrolling.measure_on(None)
