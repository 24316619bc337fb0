"""Client Status on SQLite."""

from bench import client_status

LIMITS = client_status.LIMITS


def measure() -> dict[str, float]:
    """Return the figures of `bench.client_status`."""
    return client_status.measure_on(None)
