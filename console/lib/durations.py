"""Times and lengths of time in words: "in 6 days", "2 h 5 min", "21 Nov 2026, 22:40 UTC"."""

from datetime import UTC, datetime

_MINUTE, _HOUR, _DAY = 60, 3600, 86400
_WORDS = ((_DAY, "day"), (_HOUR, "hour"), (_MINUTE, "minute"))
_SHORT = ((_DAY, "d"), (_HOUR, "h"), (_MINUTE, "min"), (1, "s"))
_JUST_NOW_S = 45


def stamp(moment: datetime, style: str = "") -> str:
    """Return an aware time in UTC, the zone written; `style` "seconds" or "date" changes how exact it is."""
    at = moment.astimezone(UTC)
    day = f"{at.day} {at:%b %Y}"
    if style == "date":
        return day
    return f"{day}, {at:%H:%M:%S} UTC" if style == "seconds" else f"{day}, {at:%H:%M} UTC"


def relative(moment: datetime, now: datetime) -> str:
    """Return how far `moment` is from `now`: "in 6 days", "3 minutes ago", "just now"."""
    seconds = (moment - now).total_seconds()
    if abs(seconds) < _JUST_NOW_S:
        return "just now" if seconds <= 0 else "in a moment"
    words = _largest(abs(seconds))
    return f"in {words}" if seconds > 0 else f"{words} ago"


def whole(seconds: float) -> str:
    """Return a length of time in words, in its largest unit: "30 minutes", "3 days"."""
    return _largest(seconds)


def _largest(seconds: float) -> str:
    for size, name in _WORDS:
        count = round(seconds / size)
        # 23.6 hours read better as "24 hours" than as "1 day".
        if seconds >= size:
            return f"{count:,} {name}{'' if count == 1 else 's'}"
    return "1 minute"


def length(seconds: float) -> str:
    """Return a length of time in its two largest units: "2 h 5 min", "3 d 4 h"; under a second in ms."""
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    rest, parts = int(seconds), []
    for size, name in _SHORT:
        count, rest = divmod(rest, size)
        if count:
            parts.append(f"{count} {name}")
    return " ".join(parts[:2])
