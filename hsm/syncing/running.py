"""Sync keys: read the HSM, plan, and make the plan true. Worker only."""

from contextlib import suppress
from datetime import datetime
from typing import Any

from django.db import DatabaseError, transaction

from console.activity import log
from console.activity.models import Outcome
from console.jobs.models import Job, State
from console.jobs.running import Run
from console.lib import clock
from console.lib.errors import ConflictError, ConsoleError, UnavailableError
from hsm.actions import Action
from hsm.connections.opening import open_group, served_by
from hsm.device.errors import DeviceError
from hsm.device.objects import Listing
from hsm.jobs import SYNC
from hsm.models.groups import Group
from hsm.syncing import applying, report, rows
from hsm.syncing.plan import Plan, plan

UNTOUCHED = "No virtual key was changed."


def sync(group: Group, *, run: Run) -> str:
    """Make the group's virtual keys agree with its HSM, and return how that ended in words.

    Raises UnavailableError with the connection's own words when the HSM cannot be read to the end: then nothing has
    changed. Permissions of the HSM never become those of a virtual key (POL-07, POL-11).
    """
    run.progress(0, 0, "Reading the keys of the HSM.")
    now = clock.now()
    earlier = rows.before(group, now)
    last = _last_report(group)
    listing = _read(group, run, known_digest=group.synced_digest if last else "")
    if last and listing.unchanged:
        run.result |= report.repeated(last, listing, group.scan, rows.missing(group))
        _close(group, run, listing, at=now, left=0)
        return report.message(run.result)
    graves = rows.tombstones(group)
    keys = rows.known(group, earlier)
    made = plan(listing, keys, graves, rows.scan(group, graves), vanished=rows.vanished(keys, earlier))
    run.result |= report.of(made, listing, group.scan)
    try:
        _apply(group, made, listing, run, earlier)
    except DatabaseError as error:
        with suppress(DatabaseError):  # what was written ahead is taken away by the next sync at the latest
            applying.discard(group)
        reason = str(error).partition("\n")[0]  # what follows quotes rows
        told = f"The keys could not be written to the database: {reason}."
        next_step = "Sync the keys again when the database works."
        raise _failed(group, run, told, code=type(error).__name__, next_step=next_step) from error
    return report.message(run.result)


def _read(group: Group, run: Run, *, known_digest: str) -> Listing:
    try:
        with open_group(group) as device:
            listing = device.read_all(known_digest)
            run.result["served_by"] = served_by(device)
    except (DeviceError, ConsoleError) as fault:
        told = fault.message.removesuffix(" Nothing was changed.")
        raise _failed(group, run, told, code=fault.code, next_step=fault.next_step) from fault
    return listing


@transaction.atomic
def _failed(group: Group, run: Run, told: str, *, code: str, next_step: str) -> UnavailableError:
    """Write down that a sync failed, and return the error to raise."""
    details = {"problem": told, "code": code}
    log.append(Action.SYNCED, group.subject, actor=run.actor, outcome=Outcome.FAILED, details=details)
    return UnavailableError(f"{told} {UNTOUCHED}", code=code, next_step=next_step)


def _apply(group: Group, made: Plan, listing: Listing, run: Run, earlier: rows.Before) -> None:
    applying.stage(group, made, now=earlier.at, progress=lambda done, total: _show(run, done, total))
    with transaction.atomic():
        _hold(run)
        left = applying.settle(group, made, earlier=earlier, now=clock.now())
        run.result["counts"]["left"] += left
        _close(group, run, listing, at=earlier.at, left=run.result["counts"]["left"])


def _show(run: Run, done: int, total: int) -> None:
    if total:
        run.progress(done, total, f"{done:,} of {total:,} new keys")


def _hold(run: Run) -> None:
    """Raise ConflictError when this attempt was given up: another one may be at work by now."""
    mine = Job.objects.select_for_update().filter(pk=run.job.pk, state=State.RUNNING, attempts=run.attempt)
    if not mine.exists():
        raise ConflictError(f"This sync took too long and was given up. {UNTOUCHED}")


@transaction.atomic
def _close(group: Group, run: Run, listing: Listing, *, at: datetime, left: int) -> None:
    row = Group.objects.filter(pk=group.pk)
    row.update(synced_at=at)
    # With something left to decide, the next sync has to read everything, even if the HSM does not change. So it has
    # when a key was changed meanwhile (`anew`).
    row.filter(synced_digest=group.synced_digest).update(synced_digest="" if left else listing.digest)
    counts = {name: number for name, number in run.result["counts"].items() if number}
    log.append(Action.SYNCED, group.subject, actor=run.actor, details={**counts, "keys": run.result["keys"]})


def _last_report(group: Group) -> dict[str, Any] | None:
    """Return the report that the stored digest belongs to, if it still holds for the group's Key Scan."""
    jobs = Job.objects.filter(kind_name=SYNC.name, subject_kind="group", subject_id=str(group.pk))
    last = jobs.filter(state=State.SUCCEEDED).order_by("-finished_at").first()
    if not last or last.result.get("digest") != group.synced_digest or last.result.get("scan") != group.scan:
        return None
    return dict(last.result)
