"""Sign a document for clients. For the worker: the key may be in pki.db or on an HSM.

The sequence is taken, and committed, first; then the contents are read and signed; then the document is stored. So no
two documents are ever signed with one sequence, whatever stops in between, and of two workers the one with the higher
sequence has read the newer contents or is turned away by `still` when it stores.
"""

import base64
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from django.db import transaction
from django.db.models.functions import Greatest

from console.lib import clock
from console.servers.models import Server
from keys import goodkey, roots, saga, signing, stores
from keys.models.root import Root, RootCounter
from keys.models.subordinate import Subordinate
from keys.purposes import Purpose
from trust.errors import NoSigningKeyError, OutdatedError
from trust.models.clients import Client
from trust.models.documents import EVERYONE, DocumentCounter, SignedDocument
from trust.publishing import carried
from trust.publishing.digests import digest
from trust.wire import documents, signed
from trust.wire.documents import Payload
from trust.wire.signed import Kind

STEP = timedelta(minutes=1)


def sign_document(
    server: Server,
    kind: Kind,
    payload_for: Callable[[int], Payload],
    *,
    audience: str = EVERYONE,
    still: Callable[[SignedDocument], bool] | None = None,
    then: Callable[[SignedDocument], None] | None = None,
) -> SignedDocument:
    """Sign what `payload_for(sequence)` returns, store it and return it.

    `audience` is `*` or a client's id. Under the lock of the roots, `still` says whether the document may be stored
    (OutdatedError if not: nothing was), and `then` does what belongs into the same transaction. Raises
    NoSigningKeyError before there is a key, and WaitingError while the key's device cannot be used.
    """
    key = signing_key(server, kind)
    sequence = take_sequence(server, audience)
    payload = payload_for(sequence)
    if (payload.sequence, payload.audience, payload.server) != (sequence, audience, server.fqdn):
        raise ValueError("The payload names another sequence, audience or server than it is signed for.")
    document = SignedDocument(
        server=server,
        kind=kind,
        audience=audience,
        sequence=sequence,
        digest=digest(payload),
        created_at=payload.issued_at,
        expires_at=payload.expires_at,
        **_signed(key, kind, payload),
    )
    _store(document, still, then)
    return document


def sign_again(
    document: SignedDocument,
    payload: Payload,
    *,
    still: Callable[[SignedDocument], bool] | None = None,
    then: Callable[[SignedDocument], None] | None = None,
) -> None:
    """Sign what a document says once more, by the key in use now, perhaps for longer: under its own sequence.

    So whoever took it is not told again, and does not act again; who has not gets one that holds. Raises what
    `sign_document` does, ValueError if the payload says something else, and OutdatedError, too, when the document was
    signed again meanwhile.
    """
    if (payload.sequence, payload.audience, digest(payload)) != (
        document.sequence,
        document.audience,
        document.digest,
    ):
        raise ValueError("Another thing is said than the document says: that takes a sequence of its own.")
    kind, before = Kind(document.kind), bytes(document.signature)
    columns = _signed(signing_key(document.server, kind), kind, payload)
    columns |= {"created_at": payload.issued_at, "expires_at": payload.expires_at}
    for name, value in columns.items():
        setattr(document, name, value)
    with transaction.atomic():
        _check_still(document, still)
        if not SignedDocument.objects.filter(pk=document.pk, signature=before).update(**columns):
            raise OutdatedError("The document was signed again meanwhile. Nothing was stored.")
        if then is not None:
            then(document)


def signing_key(server: Server, kind: Kind) -> Root | Subordinate:
    """Return the key that signs documents of a kind: the newest root, or the message-signing key (AMB-03)."""
    key: Root | Subordinate | None
    if kind is Kind.TRUST_LIST:
        key = roots.newest(server)
    else:
        active = Subordinate.objects.active(server).filter(purpose=Purpose.MESSAGE_SIGNING)
        key = active.select_related("root__server", "binding").first()
    if key is None:
        raise NoSigningKeyError("There is no key yet that signs what clients are told. Nothing was signed.")
    return key


@transaction.atomic
def take_sequence(server: Server, audience: str) -> int:
    """Return the next sequence for an audience; it is never given out again.

    It also keeps up with the minutes since 1970, so that a server that was restored from a backup goes on above what
    clients hold already: they refuse anything lower.
    """
    DocumentCounter.objects.get_or_create(server=server, audience=audience)
    counter = DocumentCounter.objects.select_for_update().get(server=server, audience=audience)
    counter.last = max(counter.last + 1, int(clock.now().timestamp() / STEP.total_seconds()))
    counter.save(update_fields=["last"])
    return counter.last


def _sign(key: Root | Subordinate, message: bytes) -> bytes:
    try:
        with stores.open_signer(key) as signer:
            return signing.sign_intended(message, goodkey.check(bytes(key.spki_der)), signer)
    except saga.FAULTS as fault:
        raise saga.later(fault, f"{key.name} could not sign; what was signed before stays in force.") from fault


def _signed(key: Root | Subordinate, kind: Kind, payload: Payload) -> dict[str, Any]:
    """Return the columns that a signature brings."""
    raw = documents.encode(payload)
    return {
        "payload": raw,
        "signature": _sign(key, signed.signed_bytes(kind, raw)),
        "signer_der": bytes(key.certificate_der),
        "chain": [base64.b64encode(der).decode() for der in _chain(key)],
    }


def _chain(key: Root | Subordinate) -> tuple[bytes, ...]:
    """Return what leads from the signer's certificate to any root of the server. A trust list brings its own."""
    if isinstance(key, Root):
        return ()
    return (bytes(key.root.certificate_der), *carried.leading_to(key.root))


@transaction.atomic
def _store(
    document: SignedDocument,
    still: Callable[[SignedDocument], bool] | None,
    then: Callable[[SignedDocument], None] | None,
) -> None:
    _check_still(document, still)
    document.save(force_insert=True)
    if document.audience != EVERYONE:
        Client.objects.filter(pk=document.audience).update(own_sequence=Greatest("own_sequence", document.sequence))
    if then is not None:
        then(document)


def _check_still(document: SignedDocument, still: Callable[[SignedDocument], bool] | None) -> None:
    """Take the lock of the roots, and raise OutdatedError for a document that says what is true no more."""
    RootCounter.lock(document.server)
    if still is not None and not still(document):
        raise OutdatedError("What the document says changed while it was signed. It is signed anew.")
