"""The activity log on SQLite."""

from bench import activity

LIMITS = activity.LIMITS


def measure() -> dict[str, float]:
    """Return the figures of `bench.activity`."""
    return activity.measure_on(None)
