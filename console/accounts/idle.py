"""How long a session has been idle, and how old it is. Pure: the policy that uses it is `console.session_policy`."""

from collections.abc import MutableMapping
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

LONGEST = timedelta(hours=12)
TOUCH_EVERY = timedelta(minutes=1)

BEGAN, SEEN = "began_at", "seen_at"


class End(StrEnum):
    """Why a session is over."""

    IDLE = "idle"
    AGE = "age"


def begin(session: MutableMapping[str, Any], now: datetime) -> None:
    """Note that the user signed in."""
    session[BEGAN] = session[SEEN] = now.timestamp()


def end_of(session: MutableMapping[str, Any], now: datetime, limit: timedelta) -> End | None:
    """Return why the session is over, or None.

    A session without times is over, and so is one from the future: the clock was set back, so its age is unknown.
    """
    began, seen, present = session.get(BEGAN), session.get(SEEN), now.timestamp()
    if began is None or seen is None or present - began >= LONGEST.total_seconds():
        return End.AGE
    if present < seen - TOUCH_EVERY.total_seconds() or present - seen >= limit.total_seconds():
        return End.IDLE
    return None


def touch(session: MutableMapping[str, Any], now: datetime, limit: timedelta) -> bool:
    """Note that the user is here; return whether the session changed.

    Written at most once a minute, or with a limit under five minutes as often as a fifth of it: so a session ends
    by that much too early, never too late.
    """
    interval = min(TOUCH_EVERY, limit / 5)
    if now.timestamp() - session[SEEN] < interval.total_seconds():
        return False
    session[SEEN] = now.timestamp()
    return True
