"""The activity log on PostgreSQL, with every commit on the disk."""

from bench import activity
from tests import postgres

LIMITS = activity.LIMITS


def measure() -> dict[str, float]:
    """Return the figures of `bench.activity`."""
    with postgres.cluster(durable=True) as url:
        return activity.measure_on(url)
