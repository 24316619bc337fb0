"""When the listing of the last sync no longer says how the virtual keys of a group stand."""

from uuid import UUID

from hsm.models.groups import Group


def read_anew(group_id: UUID) -> None:
    """Have the next sync decide on every key again, also where the HSM's listing is that of the last sync.

    Whoever writes what an HSM says of a key, or decides what becomes of one, calls this in the same transaction.
    """
    Group.objects.filter(pk=group_id).update(synced_digest="")
