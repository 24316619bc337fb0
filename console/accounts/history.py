"""The last entries of the activity log about a user, or by one."""

from console.accounts.models import User
from console.activity.models import Entry

SHOWN = 10


def of(user: User) -> list[Entry]:
    """Return the newest entries; two searches, since each has its index."""
    about = Entry.objects.filter(subject_kind="user", subject_id=str(user.pk)).order_by("-seq")[:SHOWN]
    by = Entry.objects.filter(actor=user.username, actor_id=str(user.pk)).order_by("-seq")[:SHOWN]
    found = {entry.seq: entry for entry in (*about, *by)}
    return [found[seq] for seq in sorted(found, reverse=True)[:SHOWN]]
