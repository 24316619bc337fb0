"""Where a user is signed in, and ending that. The rows are allauth's UserSession, beside Django's sessions."""

from allauth.usersessions.models import UserSession
from django.contrib.sessions.models import Session
from django.db import transaction

from console.accounts.actions import Action
from console.accounts.models import User
from console.accounts.subjects import user_subject
from console.activity import log
from console.lib import clock
from console.lib.actor import Actor
from console.lib.errors import NotFoundError


def of(user: User) -> list[UserSession]:
    """Return the sessions of a user that still exist, the newest first."""
    sessions = UserSession.objects.filter(user_id=user.pk).order_by("-last_seen_at")
    return [session for session in sessions if session.exists()]


def end_all(user: User, *, keep: str = "") -> int:
    """Sign a user out everywhere, but for the session with the key `keep`; return how many ended.

    Writes no log entry: the caller's act is the reason, and names the number.
    """
    ended = UserSession.objects.filter(user_id=user.pk).exclude(session_key=keep)
    return sum(1 for session in ended if _end(session))


def forget_expired() -> None:
    """Delete the rows of sessions whose time is over; Django leaves them lying."""
    Session.objects.filter(expire_date__lt=clock.now()).delete()


@transaction.atomic
def end(user: User, session_id: int, *, actor: Actor) -> None:
    """End one session of a user; raises NotFoundError when it is not one of theirs or over already."""
    session = UserSession.objects.filter(user_id=user.pk, pk=session_id).first()
    if session is None:
        raise NotFoundError("This session has ended already.")
    details = {"address": session.ip, "browser": session.user_agent}
    _end(session)
    log.append(Action.SESSION_ENDED, user_subject(user), actor=actor, details=details)


def _end(session: UserSession) -> bool:
    was_open = session.exists()
    session.end()
    return bool(was_open)
