"""Delete what is past and proves nothing any more: ended certificates of clients, and superseded signed documents.

What stays is what is needed: the newest certificate of each client that is not revoked, whose key is its way back
(`trust.clients.last_key`), and the entry of each batch, whose Merkle root proves any copy of a certificate. A batch
goes whole or not at all, so that Verify can check what is there; which ones went is in the log, too (`trust.batches`).
Keys that wait, answers and unproven names are deleted by `trust.clients.forgetting`.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet

from console.activity import log
from console.lib.actor import Actor
from console.lib.digest import timestamp
from console.servers.models import Server
from settings_store import values
from trust import batches
from trust.actions import Action
from trust.models.certificates import Batch, Certificate
from trust.models.clients import ClientState
from trust.models.documents import EVERYONE, DocumentKind, SignedDocument
from trust.models.questions import Question
from trust.publishing.latest import newest
from trust.ranges import Ranges
from trust.wire.documents import Directive, decode

SETTING = "client_certificate_history_days"
SHORTEST = timedelta(days=30)
"""Revocation lists name a certificate until it has ended, and administrators ask about what ended lately."""
DOCUMENTS_KEPT = timedelta(days=90)  # as long as finished jobs
MOST_CERTIFICATES = 5_000  # in one transaction with its entry, as when a batch is closed
MOST_BATCHES = 20_000  # in one run


def delete_certificates(server: Server, now: datetime) -> tuple[int, int]:
    """Delete the batches that are past with their certificates; return how many batches and certificates went.

    A batch that is not what its entry says stays, for Verify to find it. Each part is an entry of the activity log.
    """
    days = values.integer(SETTING, server=server)
    if not days:
        return 0, 0
    before = now - max(timedelta(days=days), SHORTEST)
    gone = certificates = 0
    for part in _parts(list(_past(server, before).order_by("id")[:MOST_BATCHES])):
        deleted = _delete(server, part, before)
        gone, certificates = gone + deleted[0], certificates + deleted[1]
    return gone, certificates


def _past(server: Server, before: datetime) -> QuerySet[Batch]:
    """Return the batches of which every certificate ended before that time, and none is a client's way back."""
    later = Certificate.objects.filter(client=OuterRef("client"), id__gt=OuterRef("id"))
    way_back = Q(client__state=ClientState.ACTIVE) & ~Exists(later)
    needed = Certificate.objects.filter(Q(not_after__gte=before) | way_back, batch=OuterRef("pk"))
    return Batch.objects.filter(~Exists(needed), server=server, closed_at__lt=before)


def _parts(found: list[Batch]) -> Iterator[list[Batch]]:
    part: list[Batch] = []
    for batch in found:
        if part and sum(one.count for one in part) + batch.count > MOST_CERTIFICATES:
            yield part
            part = []
        part.append(batch)
    if part:
        yield part


@transaction.atomic
def _delete(server: Server, part: list[Batch], before: datetime) -> tuple[int, int]:
    # Once more the condition: with the newest certificate of a client another one may have gone since.
    still = _past(server, before).filter(pk__in=batches.intact(part))
    numbers = list(still.order_by("id").values_list("pk", flat=True))
    if not numbers:
        return 0, 0
    certificates, _ = Certificate.objects.filter(batch__in=numbers).delete()
    Batch.objects.filter(pk__in=numbers).delete()
    details = {
        "certificates": certificates,
        "batches": len(numbers),
        batches.NUMBERS: str(Ranges.of(numbers)),
        "before": timestamp(before),
    }
    log.append(Action.CERTIFICATES_DELETED, server.subject, actor=Actor.system(), details=details)
    return len(numbers), certificates


@transaction.atomic
def delete_documents(server: Server, now: datetime) -> int:
    """Delete documents that nobody takes any more, and return how many; one entry says so.

    That is what has expired, and trust lists, which never do, once a later one stands; both 90 days after. The newest
    general document of each kind stays: the next one is compared with it. So do the list that an order stands on, and
    what belongs to a question.
    """
    before = now - DOCUMENTS_KEPT
    rows = SignedDocument.objects.filter(server=server)
    stays = newest(rows.filter(audience=EVERYONE)).values_list("pk", flat=True)
    orders = rows.filter(kind=DocumentKind.DIRECTIVE).values_list("payload", flat=True)
    stood_on = {decode(bytes(payload), Directive).trust_list for payload in orders.iterator()}
    past = rows.filter(Q(expires_at__lt=before) | Q(expires_at=None, created_at__lt=before))
    past = past.exclude(pk__in=list(stays)).exclude(kind=DocumentKind.TRUST_LIST, sequence__in=stood_on)
    deleted, _ = past.filter(~Exists(Question.objects.filter(document=OuterRef("pk")))).delete()
    if deleted:
        details = {"documents": deleted, "before": timestamp(before)}
        log.append(Action.DOCUMENTS_DELETED, server.subject, actor=Actor.system(), details=details)
    return deleted
