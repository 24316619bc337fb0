"""Revoke a root, in the worker: docs/design.md §5, steps 1 to 4, exactly once however often the job runs."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction

from console.activity import log
from console.activity.models import Outcome
from console.jobs import queue
from console.lib import clock
from console.lib.actor import Actor
from console.lib.errors import ConflictError, UnavailableError
from console.servers.current import current
from console.servers.models import Server
from keys import crl, directive, pkirecord, roots, saga, stores, witnesses
from keys.actions import Action
from keys.crl import Reason, Revoked
from keys.directive import RevokedKey
from keys.errors import RevocationRefusedError, WaitingError
from keys.jobs import DESTROY_KEY
from keys.models.root import RevocationReason, Root, RootCounter, RootState
from keys.models.statements import Crl, CrossCertificate, Directive
from keys.models.subordinate import ISSUED, Subordinate, SubordinateState
from keys.standing import Standing

# RFC 5280 §5.3.1; a key in doubt is not known to be compromised, and is replaced all the same.
CODES = {
    RevocationReason.POLICY: Reason.SUPERSEDED,
    RevocationReason.MIGRATION: Reason.SUPERSEDED,
    RevocationReason.DOUBT: Reason.SUPERSEDED,
    RevocationReason.COMPROMISED: Reason.CA_COMPROMISE,
}
ROUNDS = 3


@dataclass(frozen=True)
class Order:
    """What the job was asked to do. `job_id` goes into the entry (LOG-04)."""

    reason: RevocationReason
    note: str
    job_id: UUID
    only_when_ready: bool = False


@dataclass(frozen=True)
class Signed:
    """What was signed before the commit.

    `crl_der` is empty when the root's device could not be used: `skipped` says why. `serials` are those of the
    subordinate keys, which CRL and directive name.
    """

    serials: frozenset[str]
    crl_der: bytes
    crl_entries: int
    skipped: str
    signer: Root
    sequence: int
    payload: bytes
    signature: bytes


def revoke(root_id: UUID | str, order: Order, *, actor: Actor) -> str:
    """Revoke the root and return a message that is safe to show; a root that is revoked already is left as it is.

    Raises RevocationRefusedError when the rule no longer allows it (KEY-25; recorded, the root stays active), and
    UnavailableError when a later attempt may succeed.
    """
    server = current()
    for _ in range(ROUNDS):
        root = roots.find(root_id)
        if root.state == RootState.REVOKED:
            return f"{root.name} is revoked."
        replacement = _check(server, root, order, actor)
        now = clock.now()
        signed = _sign(server, root, replacement, order, now)
        if _commit(server, root, signed, order, now, actor):
            left_out = f" No CRL was signed: {signed.skipped}" if signed.skipped else ""
            return f"{root.name} is revoked.{left_out} Its private key is being destroyed."
    raise UnavailableError(f"The keys below {root.name} changed while it was being revoked. Nothing was revoked yet.")


def _check(server: Server, root: Root, order: Order, actor: Actor) -> Root:
    """Step 1: the guard, as it stands now."""
    standing = Standing.read(server)
    replacement = standing.replacement(root)
    if refusal := standing.refusal(root):
        _refuse(root, refusal, order, actor)
    if wait := standing.uncertified(root, order.reason):
        raise UnavailableError(
            f"{wait} Nothing was revoked yet.", next_step="See the job “Cross-certify root keys” for what keeps it."
        )
    if replacement is None:
        raise ConflictError("The replacement vanished.")
    if order.only_when_ready:
        _check_ready(root, order)
    return replacement


def _check_ready(root: Root, order: Order) -> None:
    """Raise WaitingError while anybody still needs the root; the job then looks again by itself."""
    if number := witnesses.left(root, order.reason):
        needs = "client still needs" if number == 1 else "clients still need"
        raise WaitingError(
            f"{number:,} {needs} {root.short_name}: it is not revoked before nobody does.",
            code="waits",
            next_step="Nothing needs to be done. Its tile leads to the list of who is left.",
        )


def _refuse(root: Root, refusal: str, order: Order, actor: Actor) -> None:
    with transaction.atomic():
        log.append(
            Action.ROOT_REVOKED,
            root.subject,
            actor=actor,
            outcome=Outcome.FAILED,
            details={"problem": refusal, "job": str(order.job_id)},
        )
    raise RevocationRefusedError(
        f"{refusal} {root.name} was not revoked.", next_step="Create a new key, and schedule the revocation again."
    )


def _issued(root: Root) -> list[Subordinate]:
    return list(Subordinate.objects.filter(root=root, state__in=ISSUED))


def _sign(server: Server, root: Root, replacement: Root, order: Order, now: datetime) -> Signed:
    serials = frozenset(key.serial for key in _issued(root))
    entries = _crl_entries(root, serials, order)
    crl_der, skipped = _last_crl(root, entries, CODES[order.reason], now)
    last = Directive.objects.filter(server=server).order_by("-sequence").first()
    sequence = last.sequence + 1 if last else 1
    payload = _payload(server, root, replacement, order, sequence, serials, now)
    try:
        with stores.open_signer(replacement) as signer:
            signature = directive.sign(payload, signer)
    except saga.FAULTS as fault:
        raise saga.later(fault, f"{replacement.name} could not sign the directive; nothing was revoked yet.") from fault
    return Signed(serials, crl_der, len(entries), skipped, replacement, sequence, payload, signature)


def _crl_entries(root: Root, serials: frozenset[str], order: Order) -> frozenset[str]:
    if order.reason != RevocationReason.COMPROMISED:
        # The cross-certificates stay: they carry over whoever knows only this root.
        return serials
    # A thief of the key could have made any of them.
    return serials | set(CrossCertificate.objects.filter(issuer=root).values_list("serial", flat=True))


def _last_crl(root: Root, serials: frozenset[str], code: Reason, now: datetime) -> tuple[bytes, str]:
    """Step 2: the last CRL over every subordinate. Without the device it is left out, and the reason returned."""
    entries = [Revoked(int(serial, 16), now, code) for serial in sorted(serials)]
    prepared = crl.prepare(bytes(root.certificate_der), entries, number=1, now=now)
    try:
        with stores.open_signer(root) as signer:
            return crl.issue(prepared, signer), ""
    except saga.FAULTS as fault:
        return b"", fault.message


def _payload(
    server: Server,
    root: Root,
    replacement: Root,
    order: Order,
    sequence: int,
    serials: frozenset[str],
    now: datetime,
) -> bytes:
    """Step 3, the directive: all revoked roots of the server, so that whoever missed one gets it with the next."""
    before = [
        _revoked_key(past, CODES[RevocationReason(past.revocation_reason)], past.revoked_at or now, None)
        for past in Root.objects.filter(server=server, state=RootState.REVOKED).order_by("number")
    ]
    return directive.prepare(
        server=server.fqdn,
        number=sequence,
        revoked=[*before, _revoked_key(root, CODES[order.reason], now, serials)],
        signer_spki=bytes(replacement.spki_der),
        now=now,
    )


def _revoked_key(root: Root, reason: Reason, at: datetime, serials: frozenset[str] | None) -> RevokedKey:
    named = serials if serials is not None else frozenset(key.serial for key in _issued(root))
    numbers = tuple(int(serial, 16) for serial in sorted(named))
    return RevokedKey(root.name, str(root.fingerprint), reason, at, numbers)


@transaction.atomic
def _commit(server: Server, root: Root, signed: Signed, order: Order, now: datetime, actor: Actor) -> bool:
    """Step 3, the commit, and step 4, the job that destroys the key. False: something moved, sign anew."""
    RootCounter.lock(server)
    standing = Standing.read(server)
    below = _issued(root)
    moved = (
        standing.refusal(root) != ""
        or standing.replacement(root) != signed.signer
        or frozenset(key.serial for key in below) != signed.serials
        or Directive.objects.filter(server=server, sequence__gte=signed.sequence).exists()
    )
    if moved:
        return False
    changed = Root.objects.filter(pk=root.pk, state=RootState.ACTIVE).update(
        state=RootState.REVOKED, revoked_at=now, revocation_reason=order.reason, revocation_note=order.note
    )
    if not changed:
        return False
    Subordinate.objects.filter(root=root, state__in=(SubordinateState.ACTIVE, SubordinateState.RETIRED)).update(
        state=SubordinateState.REVOKED, revoked_at=now
    )
    _store(server, root, signed, now)
    pkirecord.after_commit("root-revoked", root, detail=str(order.reason))
    queue.enqueue(DESTROY_KEY, subject=root.subject, actor=actor, server=server)
    log.append(Action.ROOT_REVOKED, root.subject, actor=actor, details=_details(root, signed, order, len(below)))
    return True


def _store(server: Server, root: Root, signed: Signed, now: datetime) -> None:
    if signed.crl_der:
        Crl.objects.create(root=root, number=1, crl_der=signed.crl_der, entries=signed.crl_entries, created_at=now)
    Directive.objects.create(
        server=server,
        sequence=signed.sequence,
        root=root,
        signer=signed.signer,
        payload=signed.payload,
        signature=signed.signature,
        created_at=now,
    )


def _details(root: Root, signed: Signed, order: Order, below: int) -> dict[str, Any]:
    return {
        "fingerprint": root.fingerprint,
        "reason": str(order.reason),
        "note": order.note,
        "replaced by": signed.signer.name,
        "subordinate keys": below,
        "CRL": f"skipped: {signed.skipped}" if signed.skipped else "signed",
        "directive": signed.sequence,
        "job": str(order.job_id),
    }
