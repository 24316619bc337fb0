"""How long a certificate holds, and when its successor is due. Pure: `now` is passed in, all times are aware UTC."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

NEVER = datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)
"""notAfter of a certificate without an end (RFC 5280 §4.1.2.5)."""

BACKDATE = timedelta(minutes=5)
"""notBefore lies this far back, so that a peer whose clock is a little slow accepts a new certificate."""

HOUR = timedelta(hours=1)


@dataclass(frozen=True)
class Period:
    """Whole seconds, both ends included (RFC 5280 §4.1.2.5)."""

    not_before: datetime
    not_after: datetime


def effective_hours(days: int, window_hours: int) -> int:
    """Return the validity in hours: at least one hour more than the renewal window (ROT-05, ROT-06)."""
    return max(days * 24, window_hours + 1)


def is_raised(days: int, window_hours: int) -> bool:
    """Tell whether `effective_hours` is more than the days that were set (AMB-12)."""
    return effective_hours(days, window_hours) > days * 24


def period(
    now: datetime,
    *,
    hours: int | None,
    issuer_not_before: datetime | None = None,
    issuer_not_after: datetime | None = None,
) -> Period:
    """Return the period of a certificate made now; `hours` None asks for no end.

    It lies within its issuer's, so `not_after` may come before `now`: the caller refuses an issuer that has
    expired.
    """
    moment = now.replace(microsecond=0)
    not_before = moment - BACKDATE
    if issuer_not_before is not None:
        not_before = max(not_before, issuer_not_before)
    not_after = NEVER
    if hours is not None and hours < (NEVER - moment) // HOUR:
        not_after = moment + timedelta(hours=hours)
    if issuer_not_after is not None:
        not_after = min(not_after, issuer_not_after)
    return Period(not_before, not_after)


def renewal_at(not_before: datetime, not_after: datetime, window_hours: int) -> datetime | None:
    """Return when the successor is due: the window before the end (ROT-02); None for what never ends.

    At least an hour after the certificate was made, whatever the settings (ROT-07): a window that was widened
    later, or an issuer that ends soon, must not lead to a new key with every tick. Never after the end.
    """
    if not_after >= NEVER:
        return None
    earliest = not_before + BACKDATE + HOUR
    return min(max(not_after - timedelta(hours=window_hours), earliest), not_after)


def renewal_due(not_before: datetime, not_after: datetime, window_hours: int, now: datetime) -> bool:
    """Tell whether the successor is due."""
    due = renewal_at(not_before, not_after, window_hours)
    return due is not None and now >= due
