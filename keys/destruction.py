"""Destroy private keys that have done their work, in the store or on the token where they live."""

from datetime import datetime
from uuid import UUID

from django.db import transaction
from django.db.models import F, Q
from django.db.models.functions import Coalesce

from console.activity import log
from console.jobs import queue
from console.jobs.models import OPEN, Job, State
from console.lib import clock
from console.lib.actor import Actor
from console.lib.errors import RefusedError
from console.servers.models import Server
from keys import pkirecord, saga, stores
from keys.actions import Action
from keys.errors import KeyNotFoundError
from keys.jobs import DESTROY_KEY
from keys.models.root import Root, RootState
from keys.models.subordinate import Subordinate, SubordinateState
from keys.profiles import Profile
from keys.purposes import PURPOSES, Purpose
from keys.rotation import PAUSE_AFTER_FAILURE

MODELS: dict[str, type[Root] | type[Subordinate]] = {"root-key": Root, "subordinate-key": Subordinate}
# A token that was forgotten keeps what is on it, until its keys are bound to it again.
REACHABLE = Q(binding__isnull=True) | Q(binding__forgotten_at__isnull=True)
ACTIONS = {"root-key": Action.ROOT_DESTROYED, "subordinate-key": Action.SUBORDINATE_DESTROYED}


def _is_ca(profile: Profile) -> bool:
    return profile.is_ca and not profile.self_signed


CA_PURPOSES = [str(purpose) for purpose in Purpose if _is_ca(PURPOSES[purpose].profile)]


def ripe(server: Server, now: datetime) -> list[Root | Subordinate]:
    """Return the keys whose private half has no use any more and is not destroyed yet.

    A retired key stays until its certificate ends, because both are accepted (ROT-03); a revoked one goes at once.
    An intermediate stays, also revoked, until the last certificate that it issued has ended: it may have to sign a
    CRL until then.
    """
    gone_roots = Root.objects.filter(REACHABLE, server=server, state=RootState.REVOKED, destroyed_at=None)
    ended = Q(state=SubordinateState.RETIRED, not_after__lte=now) | Q(state=SubordinateState.REVOKED)
    below = Subordinate.objects.filter(REACHABLE, server=server, destroyed_at=None).exclude(store="")
    plain = below.filter(ended).exclude(purpose__in=CA_PURPOSES)
    intermediates = below.filter(
        purpose__in=CA_PURPOSES, state__in=(SubordinateState.RETIRED, SubordinateState.REVOKED)
    ).annotate(until=Coalesce(F("needed_until"), F("not_after")))
    return [*gone_roots, *plain, *intermediates.filter(until__lte=now)]


@transaction.atomic
def start_ripe(server: Server) -> int:
    """Queue a job for every ripe key that has none; return how many."""
    now = clock.now()
    jobs = Job.objects.filter(server=server, kind_name=DESTROY_KEY.name)
    busy = jobs.filter(Q(state__in=OPEN) | Q(state=State.FAILED, finished_at__gt=now - PAUSE_AFTER_FAILURE))
    taken = set(busy.values_list("subject_id", flat=True))
    waiting = [key for key in ripe(server, now) if str(key.pk) not in taken]
    for key in waiting:
        queue.enqueue(DESTROY_KEY, subject=key.subject, actor=Actor.system(), server=server)
    return len(waiting)


def destroy(subject_kind: str, key_id: UUID | str, *, actor: Actor) -> str:
    """Destroy one private key and record it; a second call finds nothing left to do.

    Raises RefusedError for a key that is still needed, WaitingError when its device cannot be used.
    """
    key = _load(subject_kind, key_id)
    if key.destroyed_at:
        return f"The private key of {key.name} is destroyed."
    if key.binding and key.binding.forgotten_at:
        raise RefusedError(
            f"{key.store_label} was forgotten, and its PIN with it: the private key of {key.name} stays on it.",
            next_step="Set the HSM settings to that token again and use Re-bind keys, or destroy the object with the "
            f"CKA_ID {key.cka_id.hex()} by the tools of the HSM.",
        )
    if key not in ripe(key.server, clock.now()):
        raise RefusedError(f"The private key of {key.name} is still needed. It was not destroyed.")
    try:
        with stores.open_device(key) as device:
            device.destroy(key.cka_id)
    except saga.FAULTS as fault:
        raise saga.later(fault, f"The destruction of the private key of {key.name} is not finished.") from fault
    with transaction.atomic():
        if MODELS[subject_kind].objects.filter(pk=key.pk, destroyed_at=None).update(destroyed_at=clock.now()):
            details = {"fingerprint": key.fingerprint, "store": key.store_label, "key id": key.cka_id.hex()}
            pkirecord.after_commit("private-key-destroyed", key, detail=key.store_label)
            log.append(ACTIONS[subject_kind], key.subject, actor=actor, details=details)
    return f"The private key of {key.name} is destroyed in {key.store_label}."


def _load(subject_kind: str, key_id: UUID | str) -> Root | Subordinate:
    model = MODELS[subject_kind]
    key: Root | Subordinate | None = model.objects.select_related("server", "binding").filter(pk=key_id).first()
    if key is None:
        raise KeyNotFoundError("There is no such key.")
    return key
