"""Sign orders to single clients. For the worker."""

from datetime import datetime
from functools import partial

from django.db.models import QuerySet

from console.activity import log
from console.lib import clock
from console.lib.actor import Actor
from console.lib.errors import ConflictError
from console.lib.subject import Subject
from console.servers.models import Server
from keys.models.root import RootState
from keys.models.subordinate import Subordinate, SubordinateState
from keys.purposes import Purpose
from trust.actions import Action
from trust.clients.finding import find
from trust.errors import NoSigningKeyError
from trust.models.clients import Client, ClientState
from trust.models.documents import EVERYONE, DocumentKind, SignedDocument
from trust.publishing import directives, latest
from trust.publishing.signing import sign_again, sign_document
from trust.wire.documents import Directive, Payload, decode
from trust.wire.signed import Kind

MOST_AT_ONCE = 200
"""Orders that one job signs again; the look ten seconds later finds the others."""


def reset_public_key(client_id: str, *, actor: Actor) -> SignedDocument:
    """Sign the order for a client to hold only what the present trust list names, and return it.

    Raises ConflictError for a client that was revoked meanwhile, and what `sign_document` does.
    """
    client = find(client_id)
    if client.state == ClientState.REVOKED:
        raise ConflictError(f"{client.name} was revoked meanwhile. Nothing was signed.")
    server, audience = client.server, str(client.pk)

    def payload_for(sequence: int) -> Payload:
        held = latest.latest(server)
        if held.trust_list is None:
            raise NoSigningKeyError("There is no signed trust list yet that the client could follow.")
        return directives.reset_trust(
            server,
            audience,
            sequence,
            clock.now(),
            trust_list=held.trust_list.sequence,
            valid=directives.OWN_VALID,
        )

    def record(document: SignedDocument) -> None:
        details = {"sequence": document.sequence, "digest": document.digest}
        log.append(Action.PUBLIC_KEY_RESET, client.subject, actor=actor, details=details)

    return sign_document(server, Kind.DIRECTIVE, payload_for, audience=audience, then=record)


def without_signer(server: Server, now: datetime) -> QuerySet[SignedDocument]:
    """Return the orders that wait for single clients, and whose signer no client would believe any more.

    None while there is no key that could do better.
    """
    believed = Subordinate.objects.filter(
        server=server, purpose=Purpose.MESSAGE_SIGNING, root__state=RootState.ACTIVE, not_after__gt=now
    ).exclude(state=SubordinateState.REVOKED)
    ders = {bytes(der): state for der, state in believed.values_list("certificate_der", "state")}
    if SubordinateState.ACTIVE not in ders.values():
        return SignedDocument.objects.none()
    rows = SignedDocument.objects.filter(server=server, kind=DocumentKind.DIRECTIVE, expires_at__gt=now)
    return latest.newest(rows.exclude(audience=EVERYONE).exclude(signer_der__in=list(ders)))


def sign_again_what_lost_its_signer(server: Server, now: datetime, *, actor: Actor) -> list[SignedDocument]:
    """Sign such orders again, each under its own sequence, so that a client that obeyed it does not do so twice.

    Their root was revoked, or the signer's certificate has ended: an order waits for its client for longer than that
    may take.
    """
    made = list(without_signer(server, now)[:MOST_AT_ONCE])
    for document in made:
        sign_again(document, decode(bytes(document.payload), Directive), then=partial(_record_again, actor=actor))
    return made


def _record_again(document: SignedDocument, *, actor: Actor) -> None:
    client = Client.objects.filter(pk=document.audience).first()
    subject = client.subject if client else Subject("client", document.audience, document.audience)
    details = {"sequence": document.sequence, "because": "the key that signed it counts no more"}
    log.append(Action.PUBLIC_KEY_RESET, subject, actor=actor, details=details)
