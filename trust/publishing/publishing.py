"""See that every general document says what is true now and is not old, and that a key in use has signed it."""

from collections.abc import Callable
from datetime import datetime, timedelta

from django.db import transaction

from console.activity import log
from console.jobs import queue
from console.jobs.models import OPEN, Job, State
from console.lib import clock
from console.lib.actor import Actor
from console.lib.errors import ConsoleError
from console.servers.models import Server
from keys.models.keypair import KeyPair
from trust.actions import Action
from trust.errors import NoSigningKeyError
from trust.jobs import SIGN_DOCUMENTS
from trust.models.documents import EVERYONE, DocumentKind, SignedDocument
from trust.publishing import directives, latest, ordering, settings, trustlist
from trust.publishing.digests import digest
from trust.publishing.signing import sign_again, sign_document, signing_key
from trust.wire.documents import Payload
from trust.wire.signed import Kind

RENEWED_AFTER = timedelta(days=1)
# After a failure that does not pass by itself the scan waits, so that it does not fill the list of jobs.
PAUSE_AFTER_FAILURE = timedelta(minutes=15)
ACTIONS = {
    Kind.TRUST_LIST: Action.TRUST_LIST_PUBLISHED,
    Kind.SETTINGS: Action.SETTINGS_PUBLISHED,
    Kind.DIRECTIVE: Action.DIRECTIVE_PUBLISHED,
}
Progress = Callable[[int, int, str], None]


def start_due(server: Server) -> str:
    """Queue the signing of what is due, unless a job is at it or has just failed; return what was found."""
    now = clock.now()
    due = _due(server, now)
    if not due:
        return "What is signed for clients is up to date."
    jobs = Job.objects.filter(server=server, kind_name=SIGN_DOCUMENTS.name)
    waiting = jobs.filter(state__in=OPEN).first()
    if waiting is not None:
        return waiting.message or "Documents are being signed."
    resting = jobs.filter(state=State.FAILED, finished_at__gt=now - PAUSE_AFTER_FAILURE).first()
    if resting is not None:
        return f"{resting.message} It is tried again {PAUSE_AFTER_FAILURE.seconds // 60} minutes after that."
    with transaction.atomic():
        queue.enqueue(SIGN_DOCUMENTS, subject=server.subject, actor=Actor.system(), server=server)
    return f"Being signed ({'; '.join(due)})."


def sign_due(server: Server, *, actor: Actor, progress: Progress) -> list[SignedDocument]:
    """Sign every general document that is due, the trust list first: what follows it may stand on it.

    Then the orders to single clients that wait, and whose signer counts no more.

    A key that cannot be used does not keep the others; its error is raised at the end, so that the job tries again.
    """
    made: list[SignedDocument] = []
    faults: list[ConsoleError] = []
    steps = len(ACTIONS) + 1
    for done, kind in enumerate(ACTIONS):
        progress(done, steps, f"{_name(kind)}.")
        try:
            if why := _why(server, kind, latest.latest(server), clock.now()):
                made.append(_sign(server, kind, why, actor))
        except ConsoleError as fault:
            faults.append(fault)
    progress(len(ACTIONS), steps, "Orders to single clients.")
    try:
        made += ordering.sign_again_what_lost_its_signer(server, clock.now(), actor=actor)
    except ConsoleError as fault:
        faults.append(fault)
    if faults:
        raise faults[0]
    return made


def _due(server: Server, now: datetime) -> list[str]:
    held = latest.latest(server)
    due = [f"{_name(kind).lower()}: {why}" for kind in ACTIONS if (why := _why(server, kind, held, now))]
    if ordering.without_signer(server, now).exists():
        due.append("orders to single clients: the key that signed them counts no more")
    return due


def _name(kind: Kind) -> str:
    return str(DocumentKind(kind).label)


def _why(server: Server, kind: Kind, held: latest.Latest, now: datetime) -> str:
    """Return why a document is due; empty when it is not, or when there is nothing to say or to sign with yet."""
    payload = _payload(server, kind, held, 0, now)
    try:
        key = signing_key(server, kind)
    except NoSigningKeyError:
        return ""
    return _difference(_held(held, kind), payload, key, now) if payload else ""


def _difference(document: SignedDocument | None, payload: Payload, key: KeyPair, now: datetime) -> str:
    if document is None:
        return "there is none"
    if document.digest != digest(payload):
        return "it says something new"
    if bytes(document.signer_der) != bytes(key.certificate_der):
        return f"{key.name} signs now"
    if payload.expires_at is not None and now - document.created_at > RENEWED_AFTER:
        return "it is a day old"
    return ""


def _sign(server: Server, kind: Kind, why: str, actor: Actor) -> SignedDocument:
    """Sign a document that is due, under a new sequence.

    An order that says the same keeps its own: clients obey a sequence once, and of a million each would register anew.
    """

    def payload_for(sequence: int) -> Payload:
        payload = _payload(server, kind, latest.latest(server), sequence, clock.now())
        if payload is None:
            raise LookupError(f"There is nothing to say in a document of the kind {kind}.")
        return payload

    def still(document: SignedDocument) -> bool:
        return document.digest == digest(payload_for(0))

    def record(document: SignedDocument) -> None:
        details = {"sequence": document.sequence, "because": why, "digest": document.digest}
        log.append(ACTIONS[kind], server.subject, actor=actor, details=details)

    before = latest.latest(server).directive if kind is Kind.DIRECTIVE else None
    if before is not None:
        repeated = payload_for(before.sequence)
        if digest(repeated) == before.digest:
            sign_again(before, repeated, still=still, then=record)
            return before
    return sign_document(server, kind, payload_for, still=still, then=record)


def _payload(server: Server, kind: Kind, held: latest.Latest, sequence: int, now: datetime) -> Payload | None:
    """Return what a general document of a kind says now; None when there is nothing to say."""
    if kind is Kind.TRUST_LIST:
        return trustlist.payload(server, sequence, now)
    if kind is Kind.SETTINGS:
        return settings.payload(server, sequence, now)
    return _order(server, held, sequence, now)


def _order(server: Server, held: latest.Latest, sequence: int, now: datetime) -> Payload | None:
    """Return the order that follows a revocation; None as long as no root was revoked."""
    stands_on = directives.stands_on(held)
    if not stands_on:
        return None
    return directives.reset_trust(server, EVERYONE, sequence, now, trust_list=stands_on)


def _held(held: latest.Latest, kind: Kind) -> SignedDocument | None:
    return {Kind.TRUST_LIST: held.trust_list, Kind.SETTINGS: held.settings, Kind.DIRECTIVE: held.directive}[kind]
