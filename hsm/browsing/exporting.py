"""Security objects as a CSV file: what the table shows of them, and how they are identified."""

from collections.abc import Iterator
from typing import Any
from uuid import UUID

from console.accounts.models import User
from console.jobs.exports import Export
from console.jobs.running import Run
from console.lib import csvfile
from console.lib.errors import RefusedError
from console.lib.subject import Subject
from hsm.actions import Action
from hsm.browsing.queries import Wanted
from hsm.browsing.rows import badges, kind_of
from hsm.jobs import EXPORT_OBJECTS
from hsm.models.objects import SecurityObject

EXPORT = Export(
    EXPORT_OBJECTS,
    "objects",
    title="security-objects",
    taken=Action.OBJECTS_DOWNLOADED,
    again="Export the security objects again.",
    is_own=True,
    subject=Subject("security-objects", "", "Security objects"),
    rows="security objects",
    made=Action.OBJECTS_EXPORTED,
)
COLUMNS = (
    *("id", "name", "group", "material in", "type and size", "operations", "states", "origin", "created", "created by"),
    *("CKA_LABEL", "CKA_ID", "SHA-256 of the public key", "deactivated", "rotated", "missing since"),
    *("operations in the HSM", "read from the HSM"),
)


def export(run: Run) -> str:
    """Write what the asking user may see when the file is made, whatever that was when they asked."""
    user = User.objects.filter(pk=run.job.actor_id, is_active=True).first()
    if user is None:
        raise RefusedError("Who asked for this export has no account any more. No file was made.")
    return EXPORT.write(run, COLUMNS, _rows(Wanted.from_params(run.job.params), user))


def _rows(wanted: Wanted, user: User) -> Iterator[tuple[Any, ...]]:
    objects = wanted.objects(user).select_related("group").order_by("pk")
    last = UUID(int=0)
    while part := list(objects.filter(pk__gt=last)[: csvfile.CHUNK]):
        yield from map(_row, part)
        last = part[-1].pk


def _row(obj: SecurityObject) -> tuple[Any, ...]:
    return (
        *(str(obj.pk), obj.name, obj.group.title, "HSM" if obj.group.is_hsm else "pki.db", kind_of(obj)),
        " ".join(obj.operations),
        "; ".join(badge.text for badge in badges(obj)),
        *(obj.get_origin_display(), obj.created_at, obj.created_by, obj.label, obj.key_id, obj.fingerprint),
        *(time or "" for time in (obj.deactivated_at, obj.rotated_at, obj.missing_since)),
        " ".join(obj.hsm_operations or ()),
        obj.hsm_seen_at or "",
    )
