"""Sign an order to one client. For the worker."""

from console.activity import log
from console.lib import clock
from console.lib.actor import Actor
from console.lib.errors import ConflictError
from trust.actions import Action
from trust.clients.finding import find
from trust.errors import NoSigningKeyError
from trust.models.clients import ClientState
from trust.models.documents import SignedDocument
from trust.publishing import directives, latest
from trust.publishing.signing import sign_document
from trust.wire.documents import Payload
from trust.wire.signed import Kind


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
