"""Whether the user proved who they are a short time ago: at sign-in, or by confirming it again."""

from datetime import timedelta

from allauth.account.internal.flows.login import get_authentication_records
from django.http import HttpRequest

from console.lib import clock

WINDOW = timedelta(minutes=10)


def is_recent(request: HttpRequest) -> bool:
    """Return whether the last proof (password, code or security key) in this session is within the window.

    A time in the future counts as none: the clock was set back.
    """
    now = clock.now().timestamp()
    records = get_authentication_records(request, request.user)
    return any(0 <= now - float(record["at"]) < WINDOW.total_seconds() for record in records)
