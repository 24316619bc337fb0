"""Ask the worker: the web process never reaches a module. Each verb writes the job and an activity entry."""

from django.db import transaction

from console.activity import log
from console.activity.models import Outcome
from console.jobs import queue
from console.jobs.kinds import JobKind
from console.jobs.models import OPEN, Job
from console.lib.actor import Actor
from console.lib.errors import InvalidError, RefusedError
from console.servers.current import current
from hsm.actions import Action
from hsm.jobs import CHECK, LIST_TOKENS, REBIND
from hsm.models.tokens import TokenBinding
from settings_store import values
from settings_store.catalogue import KEYS_ON_HSM


def check(*, actor: Actor) -> Job:
    """Check the HSM integration; a check that is under way is returned instead of a second one."""
    return _once(CHECK, Action.CHECK_REQUESTED, actor)


def list_tokens(*, actor: Actor) -> Job:
    """List the tokens of the configured module; raises RefusedError when none is configured."""
    if values.text("HSMModulePath") is None:
        raise RefusedError("HSMModulePath is not set, so there is no module to ask.", next_step="Enter its path first.")
    return _once(LIST_TOKENS, Action.TOKENS_REQUESTED, actor)


@transaction.atomic
def rebind(binding: TokenBinding, key: str, *, actor: Actor) -> Job:
    """Look for the keys of a binding on the token that the settings of `key` name; raises InvalidError."""
    if key not in KEYS_ON_HSM:
        raise InvalidError("Choose whose settings name the token.", field="key")
    params = {"binding": str(binding.id), "key": key}
    job = queue.enqueue(REBIND, subject=binding.subject, actor=actor, params=params)
    details = {"token of": key}
    log.append(Action.REBIND_REQUESTED, binding.subject, actor=actor, outcome=Outcome.REQUESTED, details=details)
    return job


@transaction.atomic
def _once(kind: JobKind, action: Action, actor: Actor) -> Job:
    queue.take_turn()
    subject = current().subject
    under_way = Job.objects.filter(kind_name=kind.name, server=current(), state__in=OPEN).first()
    if under_way:
        return under_way
    job = queue.enqueue(kind, subject=subject, actor=actor)
    log.append(action, subject, actor=actor, outcome=Outcome.REQUESTED)
    return job
