"""The one clock. Call it as `clock.now()`, so that a test can move it."""

from datetime import UTC, datetime


def now() -> datetime:
    """Return the time in UTC, aware, to the microsecond."""
    return datetime.now(tz=UTC)
