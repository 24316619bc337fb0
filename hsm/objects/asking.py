"""What every request for a change has in common: one at a time for each key, and the job that does it."""

from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeVar

from django.db import transaction

from console.activity import log
from console.activity.models import Outcome
from console.jobs import queue
from console.jobs.kinds import JobKind
from console.jobs.models import OPEN, Job
from console.lib.actor import Actor
from console.lib.errors import ConflictError, NotFoundError
from hsm.actions import Action
from hsm.jobs import OBJECT_KINDS
from hsm.models.objects import ObjectState, SecurityObject
from hsm.objects.errors import BusyError
from hsm.refusals import recorded

_P = ParamSpec("_P")
_T = TypeVar("_T")
_Verb = Callable[Concatenate[SecurityObject, _P], _T]
ACTIVE_ONLY = (ObjectState.ACTIVE,)


def change(action: Action) -> Callable[[_Verb[_P, _T]], _Verb[_P, _T]]:
    """Make a verb one transaction, with a refusal of it recorded under that action outside of it."""

    def bind(verb: _Verb[_P, _T]) -> _Verb[_P, _T]:
        @wraps(verb)
        def bound(key: SecurityObject, /, *args: _P.args, **kwargs: _P.kwargs) -> _T:
            actor: Any = kwargs["actor"]
            with recorded(action, key.subject, actor=actor), transaction.atomic():
                return verb(key, *args, **kwargs)

        return bound

    return bind


def lock(key: SecurityObject, states: Sequence[ObjectState] = ACTIVE_ONLY) -> SecurityObject:
    """Lock the row until the caller commits, and return it as it is now.

    Raises NotFoundError, ConflictError when its state is not one of `states`, BusyError when a job works on it.
    """
    rows = SecurityObject.objects.select_for_update(of=("self",)).select_related("group")
    fresh = rows.filter(pk=key.pk, group__deleted_at=None).first()
    if fresh is None:
        raise NotFoundError("There is no such security object any more. Nothing was changed.")
    if open_jobs(fresh):
        raise BusyError(
            f"Another change of {fresh.name} is under way. Nothing was changed.", next_step="Wait until its job ends."
        )
    if fresh.state not in states:
        raise ConflictError(
            f"{fresh.name} is not active: {ObjectState(fresh.state).label.lower()}. Nothing was changed.",
            next_step="Look at the key again.",
        )
    return fresh


def open_jobs(key: SecurityObject) -> list[Job]:
    """Return the jobs that change this key, or make its successor."""
    ids = [str(pk) for pk in (key.pk, key.successor_id) if pk]
    names = [kind.name for kind in OBJECT_KINDS]
    jobs = Job.objects.filter(kind_name__in=names, subject_kind="security-object", subject_id__in=ids, state__in=OPEN)
    return list(jobs.order_by("created_at"))


def enqueue(
    kind: JobKind, key: SecurityObject, action: Action, *, actor: Actor, params: Mapping[str, Any], **details: Any
) -> Job:
    """Queue the job and write the entry, as the last statement of the caller's transaction."""
    job = queue.enqueue(kind, subject=key.subject, actor=actor, params=params, server=key.group.server)
    about = {"group": key.group.title, "key id": key.key_id, "job": str(job.pk), **details}
    log.append(action, key.subject, actor=actor, outcome=Outcome.REQUESTED, details=about)
    return job
