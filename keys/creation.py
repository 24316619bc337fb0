"""Make a root key in the worker: place it, make it, have it sign itself, and start what follows from it."""

from typing import Any
from uuid import UUID

from django.db import transaction

from console.activity import log
from console.activity.models import Outcome
from console.jobs import queue
from console.lib import clock
from console.lib.actor import Actor
from console.lib.errors import RefusedError
from hsm import bindings
from hsm.device.base import Device
from keys import issuance, pkirecord, roots, saga, stores, succession
from keys.actions import Action
from keys.errors import CreationFailedError, UnsettledError
from keys.jobs import CROSS_CERTIFY, REMAKE_SUBORDINATES
from keys.models.keypair import Store
from keys.models.root import UNSETTLED, Root, RootCounter, RootKind, RootState
from keys.purposes import PURPOSES, Purpose, PurposeFacts, StoreRule


class RootCreation:
    """One attempt at one root. `follow_up`: queue the cross-certificates and the subordinate keys afterwards."""

    def __init__(self, root_id: UUID | str, *, actor: Actor, follow_up: bool = True) -> None:
        self.root = roots.find(root_id)
        self.actor = actor
        self.follow_up = follow_up

    @property
    def facts(self) -> PurposeFacts:
        """What the table of purposes says about this kind of root."""
        return PURPOSES[Purpose(self.root.kind)]

    def run(self) -> Root:
        """Bring the root to active, from wherever an earlier attempt left it; a settled one is returned as it is.

        Raises CreationFailedError or UnsettledError (see `saga.make`), FencedError.
        """
        if self.root.state not in UNSETTLED:
            return self.root
        fresh = self.root.state == RootState.REQUESTED
        if fresh:
            self._place()
        else:
            saga.take(self.root, (RootState.CREATING, RootState.UNKNOWN))
        try:
            saga.make(self.root, self.facts.spec, self._finish, self._record, fresh=fresh)
        except UnsettledError as fault:
            if clock.now() - self.root.created_at > saga.GIVE_UP:
                raise saga.given_up(self.root, fault, self._record) from fault
            raise
        return self.root

    def _place(self) -> None:
        """Commit where the key will live before any device is asked to make it (HSI-23)."""
        saga.take(self.root, (RootState.REQUESTED,))
        try:
            columns = placement(self.facts)
        except saga.FAULTS as fault:
            raise saga.fail(self.root, fault, self._record) from fault
        saga.write(self.root, (RootState.REQUESTED,), state=RootState.CREATING, **columns)

    def _finish(self, device: Device) -> None:
        self._check_not_overtaken()
        prepared = issuance.prepare(
            self.facts.profile,
            name=self.root.name,
            subject_spki=bytes(self.root.spki_der),
            now=clock.now(),
            spec=self.facts.spec,
        )
        saga.write(self.root, (RootState.CREATING, RootState.UNKNOWN), intended_der=prepared.record)
        certificate_der = issuance.issue(prepared, stores.signer(device, self.root))
        self._activate(certificate_der)

    def _check_not_overtaken(self) -> None:
        """Refuse a root that is found after a later one went into use: it would surprise everybody."""
        later = Root.objects.numbered(self.root.server).filter(number__gt=self.root.number or 0)
        if self.root.kind == RootKind.ROOT and later.exists():
            raise RefusedError(
                f"{self.root.name} came to light after a later root was made, so it was not put to use.",
                next_step="Nothing is left to do.",
            )

    @transaction.atomic
    def _activate(self, certificate_der: bytes) -> None:
        root = self.root
        RootCounter.lock(root.server)
        saga.write(
            root,
            (RootState.CREATING, RootState.UNKNOWN),
            state=RootState.ACTIVE,
            certificate_der=certificate_der,
            activated_at=clock.now(),
            problem="",
            problem_code="",
            look_after=None,
        )
        if self.follow_up and root.kind == RootKind.ROOT:
            follow_up(root, self.actor)
        self._log(Outcome.SUCCEEDED, {"fingerprint": root.fingerprint, "store": root.store_label})

    def _record(self, _row: Root, outcome: str, fault: saga.Fault) -> None:
        self._log(Outcome(outcome), {"problem": fault.message, "code": fault.code})

    def _log(self, outcome: Outcome, details: dict[str, str | None]) -> None:
        details |= {"key id": self.root.cka_id.hex()}
        facts = {**details, "attempt": self.root.attempt, "algorithm": str(self.facts.spec)}
        detail = details.get("problem") or self.root.store_label
        pkirecord.after_commit("root-created", self.root, outcome, detail)
        log.append(Action.ROOT_CREATED, self.root.subject, actor=self.actor, outcome=outcome, details=facts)


def follow_up(root: Root, actor: Actor) -> None:
    """Queue what a new root brings with it, inside the transaction that makes it active (HSI-22, KEY-22)."""
    made = list(Root.objects.filter(server=root.server, state__in=(RootState.ACTIVE, RootState.REVOKED)))
    if any(root in pair for pair in succession.pairs(made, made)):
        queue.enqueue(CROSS_CERTIFY, subject=root.subject, actor=actor, server=root.server)
    queue.enqueue(REMAKE_SUBORDINATES, subject=root.subject, actor=actor, server=root.server)


def placement(facts: PurposeFacts) -> dict[str, Any]:
    """Return the columns that say where a new key of this kind is made, by the settings of this moment (HSI-30)."""
    if facts.store is StoreRule.BY_SETTINGS and facts.settings_key is not None:
        place = bindings.resolve(facts.settings_key)
        if place.binding is not None:
            return {"store": Store.TOKEN, "binding": place.binding}
    return {"store": Store.LOCAL, "binding": None}


def outcome(root: Root) -> str:
    """Return what became of a creation, for the job's message; raises CreationFailedError for a failed one."""
    if root.state == RootState.FAILED:
        raise CreationFailedError(root.problem, code=root.problem_code, next_step="Create New Key starts anew.")
    return f"{root.name} is active; its private key is in {root.store_label}."
