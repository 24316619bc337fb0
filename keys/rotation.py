"""When a subordinate key of this server is to be replaced, and how to ask for it. The worker makes it."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction

from console.activity import log
from console.activity.models import Outcome
from console.jobs import queue
from console.jobs.models import OPEN, Job, State
from console.lib import clock
from console.lib.actor import Actor
from console.lib.digest import timestamp
from console.servers.current import current
from console.servers.models import Server
from keys import roots, validity
from keys.actions import Action
from keys.errors import RotationRefusedError
from keys.jobs import LEASE_S, REMAKE_SUBORDINATES
from keys.models.root import Root, RootKind
from keys.models.subordinate import Subordinate, SubordinateState
from keys.purposes import OWN_SUBORDINATES, PURPOSES, Purpose
from settings_store import values

# After a failure that does not pass by itself the scan waits, so that it does not fill the list of jobs.
PAUSE_AFTER_FAILURE = timedelta(minutes=15)


@dataclass(frozen=True)
class Interval:
    """How long a key of one purpose is valid and how long before its end it is replaced, by the settings of now."""

    days: int
    window_hours: int

    @property
    def hours(self) -> int:
        """The effective validity (ROT-05, ROT-06)."""
        return validity.effective_hours(self.days, self.window_hours)

    @property
    def is_raised(self) -> bool:
        """Whether the validity that was set is too short for the window."""
        return validity.is_raised(self.days, self.window_hours)


def interval(purpose: Purpose, server: Server) -> Interval:
    """Read the two settings of a purpose that has them."""
    facts = PURPOSES[purpose]
    days = values.integer(str(facts.duration_setting), server=server)
    window_hours = values.integer(str(facts.window_setting), server=server)
    if days is None or window_hours is None:
        raise LookupError(f"{purpose} has no settings for its rotation.")
    return Interval(days, window_hours)


def reason(key: Subordinate | None, signer: Root, window_hours: int, now: datetime) -> str:
    """Return why a new key below `signer` is due, for the log and the page; empty when the present one goes on."""
    if key is None or key.not_before is None or key.not_after is None:
        return "there is none"
    if key.root_id != signer.pk:
        return f"{signer.short_name} is the newest root"
    if validity.renewal_due(key.not_before, key.not_after, window_hours, now):
        return "its renewal window has begun"
    return ""


def wanted(server: Server) -> dict[Purpose, Root]:
    """Return the own keys that this server is to have by the settings of now, each with the root that signs it.

    Nothing without an active root. The key below legacy-root serves Client 7.2 alone, so it is made and renewed only
    while protocol 314 is enabled.
    """
    newest = roots.newest(server)
    if newest is None:
        return {}
    signers = dict.fromkeys(OWN_SUBORDINATES, newest)
    legacy = Root.objects.active(server).filter(kind=RootKind.LEGACY).select_related("server", "binding").first()
    if legacy is not None and values.flag("enable_protocol_314_flag", server=server):
        signers[Purpose.LEGACY_SERVER_TLS] = legacy
    return signers


def due(server: Server, now: datetime) -> dict[Purpose, str]:
    """Return the purposes of this server's own keys that are due, with the reason; nothing without an active root."""
    active = {key.purpose: key for key in Subordinate.objects.active(server)}
    left_open = set(
        Subordinate.objects.filter(
            server=server, state=SubordinateState.CREATING, created_at__lt=now - timedelta(seconds=LEASE_S)
        ).values_list("purpose", flat=True)
    )
    reasons = {
        purpose: reason(active.get(purpose), signer, interval(purpose, server).window_hours, now)
        or ("an earlier attempt was left open" if purpose in left_open else "")
        for purpose, signer in wanted(server).items()
    }
    return {purpose: why for purpose, why in reasons.items() if why}


@transaction.atomic
def start_due(server: Server) -> Job | None:
    """Queue the renewal of what is due (ROT-01, MIS-12), unless a job is at it or has just failed.

    What is not to be there any more is retired.
    """
    now = clock.now()
    retire_unwanted(server)
    reasons = due(server, now)
    jobs = Job.objects.filter(server=server, kind_name=REMAKE_SUBORDINATES.name)
    resting = jobs.filter(state=State.FAILED, finished_at__gt=now - PAUSE_AFTER_FAILURE)
    if not reasons or jobs.filter(state__in=OPEN).exists() or resting.exists():
        return None
    job = queue.enqueue(REMAKE_SUBORDINATES, subject=server.subject, actor=Actor.system(), server=server)
    details = {"due": {str(purpose): why for purpose, why in reasons.items()}, "job": str(job.id)}
    log.append(
        Action.SUBORDINATE_ROTATION_REQUESTED,
        server.subject,
        actor=Actor.system(),
        outcome=Outcome.REQUESTED,
        details=details,
    )
    return job


@transaction.atomic
def request(key: Subordinate, *, actor: Actor) -> Job:
    """Queue a new key in place of one that is in use, whatever its age (KEY-51); raises RotationRefusedError."""
    server = current()
    if key.server_id != server.pk or key.purpose not in wanted(server) or key.state != "active":
        raise RotationRefusedError(
            f"{key.name} is not a key in use of this server, so it is not rotated here. Nothing was changed."
        )
    if Job.objects.filter(server=server, kind_name=REMAKE_SUBORDINATES.name, state__in=OPEN).exists():
        raise RotationRefusedError("Subordinate keys are being made right now. Nothing else was requested.")
    job = queue.enqueue(
        REMAKE_SUBORDINATES,
        subject=key.subject,
        actor=actor,
        server=server,
        params={"purpose": key.purpose, "made_before": timestamp(clock.now())},
    )
    log.append(
        Action.SUBORDINATE_ROTATION_REQUESTED,
        key.subject,
        actor=actor,
        outcome=Outcome.REQUESTED,
        details={"job": str(job.id)},
    )
    return job


@transaction.atomic
def retire_unwanted(server: Server) -> int:
    """Retire the key below legacy-root once protocol 314 is not enabled any more; return how many were retired.

    As every retired key it is destroyed when its certificate has ended (`destruction.ripe`). It is not served from now
    on, and not put to use again: enabling the protocol anew makes a new one.
    """
    if Purpose.LEGACY_SERVER_TLS in wanted(server):
        return 0
    now = clock.now()
    retired = 0
    for key in Subordinate.objects.active(server).filter(purpose=Purpose.LEGACY_SERVER_TLS):
        moved = Subordinate.objects.filter(pk=key.pk, state=SubordinateState.ACTIVE)
        if moved.update(state=SubordinateState.RETIRED, retired_at=now):
            log.append(
                Action.SUBORDINATE_RETIRED,
                key.subject,
                actor=Actor.system(),
                details={"why": "protocol 314 is not enabled", "fingerprint": key.fingerprint},
            )
            retired += 1
    return retired
