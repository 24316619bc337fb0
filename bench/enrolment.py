"""Enrolments a second on PostgreSQL with every commit on the disk, against cfssl on the same cluster."""

from bench import enrolling
from tests import postgres

LIMITS = {"cfssl's for one of ours": 2.0}


def measure() -> dict[str, float]:
    """Return the figures of `bench.enrolling`."""
    with postgres.cluster(durable=True) as url:
        return enrolling.measure_on(url)
