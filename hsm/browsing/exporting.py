"""Security objects as a CSV file: what the table shows of them, and how they are identified."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import transaction

from console.accounts.models import User
from console.activity import log
from console.activity.models import Outcome
from console.jobs import queue
from console.jobs.models import OPEN, Job
from console.jobs.running import Run
from console.lib import csvfile
from console.lib.actor import Actor
from console.lib.errors import RefusedError
from console.lib.subject import Subject
from hsm.actions import Action
from hsm.browsing.queries import Wanted
from hsm.browsing.rows import badges, kind_of
from hsm.jobs import EXPORT_OBJECTS
from hsm.models.objects import SecurityObject

SUBJECT = Subject("security-objects", "", "Security objects")
COLUMNS = (
    *("id", "name", "group", "material in", "type and size", "operations", "states", "origin", "created", "created by"),
    *("CKA_LABEL", "CKA_ID", "SHA-256 of the public key", "deactivated", "rotated", "missing since"),
    *("operations in the HSM", "read from the HSM"),
)


def path_of(job_id: UUID) -> Path:
    """Return where the file of an export job lies."""
    return Path(settings.EXPORT_DIR) / f"objects-{job_id}.csv"


@transaction.atomic
def request(wanted: Wanted, *, actor: Actor) -> Job:
    """Queue the export, or return the one of this user that is under way."""
    mine = Job.objects.filter(kind_name=EXPORT_OBJECTS.name, actor_id=actor.id, state__in=OPEN)
    return mine.first() or queue.enqueue(EXPORT_OBJECTS, subject=SUBJECT, actor=actor, params=wanted.as_params())


def export(run: Run) -> str:
    """Write what the asking user may see when the file is made, whatever that was when they asked."""
    user = User.objects.filter(pk=run.job.actor_id, is_active=True).first()
    if user is None:
        raise RefusedError("Who asked for this export has no account any more. No file was made.")
    wanted = Wanted.from_params(run.job.params)
    written = csvfile.write(COLUMNS, _rows(wanted, user), path_of(run.job.pk), _progress(run))
    run.result |= {"rows": written.rows, "size_bytes": written.size_bytes, "sha256": written.sha256}
    with transaction.atomic():
        details = {**run.result, "filter": wanted.as_params()}
        log.append(Action.OBJECTS_EXPORTED, SUBJECT, actor=run.actor, outcome=Outcome.SUCCEEDED, details=details)
    return f"{written.rows:,} security objects written."


def _progress(run: Run) -> Callable[[int], None]:
    return lambda rows: run.progress(rows, 0, f"{rows:,} security objects written")


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
