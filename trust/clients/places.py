"""Which keys may wait for one client, so that none of those who have an init file keeps the client itself out.

Each credential has places of its own, and no site has many of them. Who is there keeps its place while it asks again,
as a client does every five minutes: a list that new keys push others out of would be worth nothing. So who fills the
places of a file leaves free those of every other file, and needs as many sites as there are places to keep out others
that have the same file. A computer that finds no place gets a file of its own.
"""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta

from serving.sites import site
from trust.models.clients import PendingEnrolment

MOST_OF_CREDENTIAL = 10
MOST_OF_SITE = 3
"""Of those ten: a computer that was set up anew twice, and was asked for by mistake."""
SILENT_AFTER = timedelta(minutes=15)


def room(waiting: Sequence[PendingEnrolment], address: str, now: datetime) -> list[PendingEnrolment] | None:
    """Return what has to go for a new key from `address`: nothing or one; None when there is no place for it.

    `waiting` are the keys of this client that came by the same credential.
    """
    here = site(address)
    own = [one for one in waiting if site(one.address) == here]
    if len(own) < MOST_OF_SITE and len(waiting) < MOST_OF_CREDENTIAL:
        return []
    crowd = own if len(own) >= MOST_OF_SITE else waiting
    longest = min(crowd, key=lambda one: one.last_at)
    if now - longest.last_at > SILENT_AFTER:
        return [longest]
    return None if own else _of_the_largest(waiting)


def _of_the_largest(waiting: Sequence[PendingEnrolment]) -> list[PendingEnrolment] | None:
    """Return the newest key of the site that has the most; None when none has more than one."""
    sites = Counter(site(one.address) for one in waiting)
    largest, number = sites.most_common(1)[0]
    if number < 2:
        return None
    return [max((one for one in waiting if site(one.address) == largest), key=lambda one: one.first_at)]


def crowded(waiting: Sequence[PendingEnrolment]) -> bool:
    """Whether a key may have found no place: some file or site has all it may have."""
    files = Counter(one.credential_id for one in waiting)
    sites = Counter((one.credential_id, site(one.address)) for one in waiting)
    return max(files.values(), default=0) >= MOST_OF_CREDENTIAL or max(sites.values(), default=0) >= MOST_OF_SITE
