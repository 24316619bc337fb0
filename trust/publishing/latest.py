"""What has been signed for clients and is in force. For the listener, too: it imports rows and formats only."""

import base64
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db.models import Max, OuterRef, Q, QuerySet, Subquery

from console.lib import clock
from console.servers.models import Server
from trust.models.documents import EVERYONE, DocumentKind, SignedDocument
from trust.wire.signed import Envelope, Kind


@dataclass(frozen=True)
class Latest:
    """The newest general document of each kind, whether or not it has expired meanwhile."""

    trust_list: SignedDocument | None = None
    settings: SignedDocument | None = None
    directive: SignedDocument | None = None
    question: SignedDocument | None = None

    def newer(
        self, now: datetime, *, trust_list: int = 0, settings: int = 0, directive: int = 0, question: int = 0
    ) -> Iterator[SignedDocument]:
        """Yield what is in force and newer than the sequences that a client holds, the trust list first."""
        held = (
            (self.trust_list, trust_list),
            (self.settings, settings),
            (self.directive, directive),
            (self.question, question),
        )
        for document, sequence in held:
            if document is not None and document.sequence > sequence and in_force(document, now):
                yield document


def in_force(document: SignedDocument, now: datetime) -> bool:
    """Whether a client would still accept it."""
    return document.expires_at is None or document.expires_at > now


def latest(server: Server) -> Latest:
    """Return what is signed for all clients of a server: one query."""
    found = {row.kind: row for row in newest(SignedDocument.objects.filter(server=server, audience=EVERYONE))}
    return Latest(
        found.get(DocumentKind.TRUST_LIST),
        found.get(DocumentKind.SETTINGS),
        found.get(DocumentKind.DIRECTIVE),
        found.get(DocumentKind.QUESTION),
    )


def own(client_id: UUID | str, *, settings: int, directive: int) -> list[SignedDocument]:
    """Return what is signed for one client alone, in force and newer than what it holds: the newest of each kind.

    One counter serves both kinds: a client whose `own_sequence` is not above either has nothing to be asked for.
    """
    in_force_now = Q(expires_at__isnull=True) | Q(expires_at__gt=clock.now())
    newer = Q(kind=DocumentKind.SETTINGS, sequence__gt=settings) | Q(
        kind=DocumentKind.DIRECTIVE, sequence__gt=directive
    )
    rows = SignedDocument.objects.filter(in_force_now, newer, audience=str(client_id))
    return list(newest(rows).order_by("sequence"))


def envelope(document: SignedDocument) -> Envelope:
    """Return a document as it goes over the wire."""
    return Envelope(
        kind=Kind(document.kind),
        payload=bytes(document.payload),
        signature=bytes(document.signature),
        signer=bytes(document.signer_der),
        chain=tuple(base64.b64decode(der) for der in document.chain),
    )


def newest(rows: QuerySet[SignedDocument]) -> QuerySet[SignedDocument]:
    """Return those that no later one of the same kind, audience and server follows."""
    same = SignedDocument.objects.filter(
        server=OuterRef("server"), kind=OuterRef("kind"), audience=OuterRef("audience")
    ).order_by()
    last = same.values("kind").annotate(last=Max("sequence")).values("last")
    return rows.filter(sequence=Subquery(last))
