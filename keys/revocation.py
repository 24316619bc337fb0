"""Plan the revocation of a root: what it would do, and the job that does it (`keys.revoking` in the worker)."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction

from console.activity import log
from console.activity.models import Outcome
from console.jobs import queue
from console.jobs.models import Job
from console.lib import clock, durations
from console.lib.actor import Actor
from console.lib.digest import canonical_json, sha256_hex, timestamp
from console.lib.errors import ConsoleError, InvalidError
from console.servers.current import current
from keys import depends, witnesses
from keys.actions import Action
from keys.errors import ConsequencesChangedError, RevocationRefusedError
from keys.jobs import REVOKE_ROOT, WHEN_READY
from keys.models.root import RevocationReason, Root, RootCounter
from keys.models.subordinate import Subordinate, SubordinateState
from keys.propagation import components, followed, own
from keys.purposes import PURPOSES, Purpose
from keys.standing import Standing
from keys.witnesses import Consequence, Dependants

ADVISED_WAIT = timedelta(days=7)  # HSI-24, KEY-35: a recommendation, not a rule (AMB-29)
# What is offered is a whole minute, rounded down: it has to lie ahead even so.
SOONEST = timedelta(minutes=1)
LATEST = timedelta(days=366)


@dataclass(frozen=True)
class Plan:
    """What an administrator decided. `due_at` None means now; `seen` is the digest of the consequences shown.

    `only_when_ready`: at the date, or as soon after it as nobody needs the root any more.
    """

    reason: RevocationReason
    note: str
    seen: str
    due_at: datetime | None = None
    only_when_ready: bool = False


def consequences(
    root: Root, standing: Standing, depending: Sequence[Dependants] | None = None
) -> tuple[Consequence, ...]:
    """Return what revoking `root` does, as it stands now; `depending` is who needs it, where that is known already."""
    found = witnesses.dependants(root) if depending is None else depending
    return (
        _replacement(root, standing),
        *_subordinates(root),
        _unfinished(standing),
        *(line for one in found for line in depends.lines(one)),
        *witnesses.consequences(root),
        _private_key(root),
        *_planned(root, standing),
    )


def digest(lines: Sequence[Consequence]) -> str:
    """Return a digest that changes exactly when the facts do; the dialog sends it back."""
    return sha256_hex(
        canonical_json([[line.term, line.fact or line.text, timestamp(line.at) if line.at else ""] for line in lines])
    )


def early_warning(root: Root, standing: Standing, due_at: datetime) -> str:
    """Return why the date is early (HSI-25); empty when the replacement is a week old by then."""
    new = standing.replacement(root)
    if new is None or new.activated_at is None or due_at >= new.activated_at + ADVISED_WAIT:
        return ""
    finished, known = followed(components(standing.server))
    return (
        f"{new.short_name} will be less than a week old. Components that have not moved to it by then need more "
        f"processing and network traffic after the revocation; {known - finished:,} of the {known:,} "
        "known today have not finished."
    )


def request(root: Root, plan: Plan, *, actor: Actor) -> Job:
    """Queue or schedule the revocation, or move the one that is planned; return its job.

    Raises RevocationRefusedError when the root may not be revoked, ConsequencesChangedError when what was shown no
    longer holds, InvalidError for a date out of range. A refusal is recorded.
    """
    try:
        with transaction.atomic():
            return _request(root, plan, actor)
    except ConsequencesChangedError:
        raise
    except ConsoleError as error:
        details = {"reason": error.message}
        log.refuse(Action.ROOT_REVOCATION_REQUESTED, root.subject, actor=actor, details=details)
        raise


def _request(root: Root, plan: Plan, actor: Actor) -> Job:
    server = current()
    RootCounter.lock(server)
    standing = Standing.read(server)
    root = next((each for each in standing.roots if each.pk == root.pk), root)
    if refusal := standing.refusal(root) or standing.uncertified(root, plan.reason):
        raise RevocationRefusedError(f"{refusal} Nothing was revoked.")
    if plan.seen != digest(consequences(root, standing)):
        raise ConsequencesChangedError(
            "What this revocation does has changed since the dialog was shown. Nothing was revoked.",
            next_step="Read the consequences again and confirm them.",
        )
    _check_date(plan.due_at)
    planned = standing.pending.get(root.pk)
    overridden = _check_ready(root, plan, planned)
    job = _job(root, plan, planned, actor)
    _record(root, plan, job, actor, overridden)
    return job


def _check_ready(root: Root, plan: Plan, planned: Job | None) -> int | None:
    """Return for how many the plan that is replaced would have waited; None when it waited for nobody.

    Raises InvalidError when no reason is given for not waiting, and for a compromised key that is to wait.
    """
    if plan.only_when_ready and plan.reason == RevocationReason.COMPROMISED:
        raise InvalidError(
            "A compromised key does not wait: whoever has it can deceive clients all the time. Choose the date or now.",
            field="when",
        )
    if planned is None or plan.only_when_ready or not planned.params.get(WHEN_READY):
        return None
    number = witnesses.left(root, plan.reason)
    if number and not plan.note.strip():
        raise InvalidError(
            f"The plan was to wait until nobody needs {root.short_name}, and {number:,} still do. Say why it is not to "
            "wait for them.",
            field="note",
        )
    return number


def _job(root: Root, plan: Plan, planned: Job | None, actor: Actor) -> Job:
    params: dict[str, Any] = {"reason": str(plan.reason), "note": plan.note}
    if plan.only_when_ready:
        params[WHEN_READY] = True
    if planned is None:
        return queue.enqueue(REVOKE_ROOT, subject=root.subject, actor=actor, due_at=plan.due_at, params=params)
    Job.objects.filter(pk=planned.pk).update(params=params, message="", error_code="", next_step="")
    planned.refresh_from_db()
    if plan.due_at is None:
        queue.run_now(planned, actor=actor)
    else:
        queue.reschedule(planned, plan.due_at, actor=actor)
    return planned


def _record(root: Root, plan: Plan, job: Job, actor: Actor, overridden: int | None) -> None:
    details: dict[str, Any] = {
        "fingerprint": root.fingerprint,
        "reason": str(plan.reason),
        "note": plan.note,
        "job": str(job.id),
    }
    if overridden is not None:
        details["did not wait for"] = overridden
    if plan.only_when_ready:
        details["waits"] = "until nobody needs it"
    if plan.due_at is None:
        log.append(
            Action.ROOT_REVOCATION_REQUESTED, root.subject, actor=actor, outcome=Outcome.REQUESTED, details=details
        )
        return
    details["due"] = timestamp(plan.due_at)
    log.append(Action.ROOT_REVOCATION_SCHEDULED, root.subject, actor=actor, outcome=Outcome.REQUESTED, details=details)


def schedule_in_a_week(root: Root, *, actor: Actor) -> Job:
    """Schedule the revocation of a replaced root for a week after its replacement: the one-click offer (MIS-10).

    One that somebody has planned meanwhile stays as it is.
    """
    standing = Standing.read(current())
    if planned := standing.pending.get(root.pk):
        return planned
    due_at = offered_date(root, standing)
    seen = digest(consequences(root, standing))
    return request(root, Plan(RevocationReason.POLICY, "", seen, due_at), actor=actor)


def offered_date(root: Root, standing: Standing) -> datetime:
    """Return a week after the replacement became active, or a week from now when that has passed."""
    now = clock.now()
    new = standing.replacement(root)
    made = new.activated_at if new and new.activated_at else now
    due_at = made + ADVISED_WAIT
    return (due_at if due_at > now + SOONEST else now + ADVISED_WAIT).replace(second=0, microsecond=0)


def ready_date(depending: Sequence[Dependants]) -> datetime | None:
    """Return the earliest whole minute at which nobody needs the root any more; None if that is now, or never."""
    if not any(found.number for found in depending) or any(found.never for found in depending):
        return None
    at = max(found.earliest for found in depending)
    return (at + timedelta(minutes=1)).replace(second=0, microsecond=0)


def offers(standing: Standing) -> list[tuple[Root, datetime]]:
    """Return the roots whose revocation can be scheduled in one click, oldest first, with the date."""
    ready = [
        root
        for root in standing.roots
        if root.is_active
        and root.pk not in standing.pending
        and not standing.refusal(root)
        and not standing.uncertified(root, RevocationReason.POLICY)
    ]
    return [(root, offered_date(root, standing)) for root in sorted(ready, key=lambda root: root.number or 0)]


def _check_date(due_at: datetime | None) -> None:
    if due_at is None:
        return
    now = clock.now()
    if due_at < now:
        raise InvalidError("That time has passed. Choose a later one, or revoke now.", field="due_at")
    if due_at > now + LATEST:
        raise InvalidError("Choose a date within a year.", field="due_at")


def _replacement(root: Root, standing: Standing) -> Consequence:
    new = standing.replacement(root)
    if new is None:
        return Consequence("Replacement", "none", bad=True)
    text = f"{new.name}, in use since"
    return Consequence("Replacement", text, at=new.activated_at, fingerprint=str(new.fingerprint))


def _subordinates(root: Root) -> Iterator[Consequence]:
    below = list(Subordinate.objects.filter(root=root, state__in=(SubordinateState.ACTIVE, SubordinateState.RETIRED)))
    active = sorted(PURPOSES[Purpose(key.purpose)].label for key in below if key.state == SubordinateState.ACTIVE)
    if active:
        text = f"{', '.join(active)}: this server stops working with them until new ones are made"
        yield Consequence("Still in use below it", text, bad=True)
    what = "1 key becomes invalid and is" if len(below) == 1 else f"{len(below)} keys become invalid and are"
    yield Consequence("Subordinate keys", f"{what} listed in a last CRL")


def _unfinished(standing: Standing) -> Consequence:
    every = own(standing.server, standing.newest) if standing.newest else []
    unfinished = [component.name for component in every if not component.done]
    if not unfinished:
        return Consequence("Keys of this server", f"all {len(every)} have moved to the newest key")
    return Consequence(
        "Keys of this server",
        f"{len(unfinished)} of {len(every)} have not moved yet: {', '.join(unfinished)}",
        bad=True,
    )


def _planned(root: Root, standing: Standing) -> Iterator[Consequence]:
    """Yield the plan that a confirmation replaces: whoever confirms has seen it."""
    if plan := standing.pending.get(root.pk):
        # One that waits looks again by itself, and each look moves its date.
        due = "" if plan.params.get(WHEN_READY) else timestamp(plan.due_at)
        text = f"for {durations.stamp(plan.due_at)}, by {plan.actor_name}"
        yield Consequence("Planned", text, fact=sha256_hex(canonical_json([str(plan.pk), due, plan.params])))


def _private_key(root: Root) -> Consequence:
    return Consequence("Private key", f"is destroyed in {root.store_label}, for good")
