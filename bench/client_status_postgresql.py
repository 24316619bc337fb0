"""Client Status on PostgreSQL."""

from bench import client_status
from tests import postgres

LIMITS = client_status.LIMITS


def measure() -> dict[str, float]:
    """Return the figures of `bench.client_status`."""
    with postgres.cluster() as url:
        return client_status.measure_on(url)
