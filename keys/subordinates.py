"""Make this server's own keys below its newest root, in the worker. Can begin again at any point."""

import secrets
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import F, QuerySet

from console.activity import log
from console.activity.models import Outcome
from console.jobs.models import Job, State
from console.jobs.running import may_pass
from console.lib import clock
from console.lib.actor import Actor
from console.lib.errors import RefusedError, UnavailableError
from console.servers.models import Server
from hsm.device.base import Device
from hsm.device.errors import DeviceError, PinError
from keys import issuance, pkirecord, rotation, saga, stores
from keys.actions import Action
from keys.creation import placement
from keys.errors import CreationFailedError
from keys.models.keypair import KEY_ID_BYTES
from keys.models.root import Root, RootCounter, RootState
from keys.models.subordinate import UNSETTLED, Subordinate, SubordinateState
from keys.profiles import DnsNames
from keys.purposes import PURPOSES, Purpose

Progress = Callable[[int, int, str], None]


def remake(
    server: Server, *, actor: Actor, progress: Progress, forced: Mapping[Purpose, datetime] | None = None
) -> list[Subordinate]:
    """Make every own key that is due, and those in `forced` that are older than the time given; return the new ones.

    One that fails does not keep the others. Raises the first fault at the end; UnavailableError when a later attempt
    may do what is left.
    """
    signers = rotation.wanted(server)
    if not signers:
        raise RefusedError(f"{server.fqdn} has no active root key, so nothing below it can be signed.")
    wanted = _wanted(server, forced or {})
    made: list[Subordinate] = []
    faults: list[saga.Fault] = []
    for done, (purpose, why) in enumerate(wanted.items()):
        progress(done, len(wanted), f"{PURPOSES[purpose].label}: {why}.")
        try:
            made.append(_Making(server, signers[purpose], purpose, actor).run())
        except saga.FAULTS as fault:
            faults.append(fault)
    _raise_faults(faults, len(made))
    return made


@transaction.atomic
def claim(server: Server, job: Job) -> None:
    """Make `job` the one that makes subordinate keys; raises UnavailableError while another is running."""
    counter = RootCounter.lock(server)
    running = Job.objects.filter(state=State.RUNNING).exclude(pk=job.pk)
    if counter.making_job and running.filter(pk=counter.making_job).exists():
        raise UnavailableError("Another job is making subordinate keys. This one waits for it.")
    counter.making_job = job.pk
    counter.save(update_fields=["making_job"])


def _wanted(server: Server, forced: Mapping[Purpose, datetime]) -> dict[Purpose, str]:
    due = rotation.due(server, clock.now())
    # What is not to be there any more is not made anew, asked for or not.
    allowed = [purpose for purpose in forced if purpose in rotation.wanted(server)]
    for key in Subordinate.objects.active(server).filter(purpose__in=allowed):
        purpose = Purpose(key.purpose)
        if key.activated_at and key.activated_at < forced[purpose]:
            due.setdefault(purpose, "asked for")
    return due


def _raise_faults(faults: list[saga.Fault], made: int) -> None:
    if not faults:
        return
    first = faults[0]
    message = " ".join(dict.fromkeys(fault.message for fault in faults))
    also = f" {made} other key{'' if made == 1 else 's'} made." if made else ""
    error_class = UnavailableError if any(map(_may_pass, faults)) else RefusedError
    raise error_class(message + also, code=first.code, next_step=first.next_step) from first


def _may_pass(fault: saga.Fault) -> bool:
    """Tell a token that is away, which comes back, from a setting or a PIN that waits for a person."""
    cause = fault.__cause__ if isinstance(fault, CreationFailedError) and fault.__cause__ else fault
    return may_pass(cause) or (isinstance(cause, DeviceError) and not isinstance(cause, PinError))


class _Making:
    """One attempt at one key below one root."""

    def __init__(self, server: Server, root: Root, purpose: Purpose, actor: Actor) -> None:
        self.server, self.root, self.purpose, self.actor = server, root, purpose, actor
        self.facts = PURPOSES[purpose]
        self.holder = self.facts.holder(server.fqdn)
        self.interval = rotation.interval(purpose, server)
        self.key: Subordinate

    def run(self) -> Subordinate:
        place = placement(self.facts)
        left = self._left_open().filter(binding=place["binding"]).order_by("created_at").first()
        if left:
            # Finished below the newest root, whichever it was meant for.
            self.key = left
            saga.take(left, UNSETTLED)
        else:
            self._intend(place)
        saga.make(self.key, self.facts.spec, self._finish, self._record, fresh=left is None)
        return self.key

    def _left_open(self) -> QuerySet[Subordinate]:
        """Return what earlier attempts left open. One job makes keys at a time, so nobody works on them."""
        keys = Subordinate.objects.filter(server=self.server, purpose=self.purpose, holder=self.holder)
        return keys.filter(state__in=UNSETTLED).select_related("server", "binding", "root")

    @transaction.atomic
    def _intend(self, place: dict[str, Any]) -> None:
        """Commit the row with its place before any device is asked to make the key.

        What is open in another place, where the settings pointed before, is left to the reconciler.
        """
        self._left_open().filter(state=SubordinateState.CREATING).update(
            state=SubordinateState.UNKNOWN, attempt=F("attempt") + 1
        )
        self.key = Subordinate.objects.create(
            server=self.server,
            root=self.root,
            purpose=self.purpose,
            holder=self.holder,
            name=f"{self.facts.label} of {self.server.fqdn}",
            key_id=secrets.token_bytes(KEY_ID_BYTES),
            attempt=1,
            created_at=clock.now(),
            **place,
        )

    def _finish(self, device: Device) -> None:
        del device  # the root signs, not the new key
        names = (self.holder,) if self.facts.profile.dns_names is DnsNames.REQUIRED else ()
        prepared = issuance.prepare(
            self.facts.profile,
            name=self.facts.name(self.server.fqdn),
            subject_spki=bytes(self.key.spki_der),
            now=clock.now(),
            issuer=bytes(self.root.certificate_der),
            hours=self.interval.hours,
            dns_names=names,
            spec=self.facts.spec,
        )
        saga.write(self.key, UNSETTLED, intended_der=prepared.record, root=self.root)
        with stores.open_signer(self.root) as signer:
            certificate_der = issuance.issue(prepared, signer)
        period = prepared.period
        self._activate(
            certificate_der=certificate_der,
            serial=f"{prepared.serial:x}",
            not_before=period.not_before,
            not_after=period.not_after,
        )

    @transaction.atomic
    def _activate(self, **columns: object) -> None:
        """Put the new key to use and retire the old one, unless the root was revoked meanwhile."""
        RootCounter.lock(self.server)
        if not Root.objects.filter(pk=self.root.pk, state=RootState.ACTIVE).exists():
            raise UnavailableError(f"{self.root.name} is no longer active; the key is made below the next one.")
        now = clock.now()
        old = Subordinate.objects.active(self.server).filter(purpose=self.purpose, holder=self.holder)
        old.update(state=SubordinateState.RETIRED, retired_at=now)
        saga.write(
            self.key,
            UNSETTLED,
            state=SubordinateState.ACTIVE,
            activated_at=now,
            window_hours=self.interval.window_hours,
            problem="",
            problem_code="",
            look_after=None,
            **columns,
        )
        self._log_raised()
        details = {"fingerprint": self.key.fingerprint, "store": self.key.store_label, "serial": self.key.serial}
        self._log(Outcome.SUCCEEDED, details)

    def _log_raised(self) -> None:
        """ROT-06: the log says that the validity was raised above the window."""
        if self.interval.is_raised:
            details = {
                "days set": self.interval.days,
                "window hours": self.interval.window_hours,
                "effective hours": self.interval.hours,
                "setting": self.facts.duration_setting,
            }
            log.append(Action.VALIDITY_RAISED, self.key.subject, actor=Actor.system(), details=details)

    def _record(self, _row: Subordinate, outcome: str, fault: saga.Fault) -> None:
        self._log(Outcome(outcome), {"problem": fault.message, "code": fault.code})

    def _log(self, outcome: Outcome, details: dict[str, str | None]) -> None:
        facts = {**details, "signed by": self.root.name, "key id": self.key.cka_id.hex(), "attempt": self.key.attempt}
        detail = details.get("problem") or f"signed by {self.root.name}"
        pkirecord.after_commit(f"{self.purpose}-created", self.key, outcome, detail)
        log.append(Action.SUBORDINATE_CREATED, self.key.subject, actor=self.actor, outcome=outcome, details=facts)
