"""Which signed documents a registration brings back: what is newer than the sequences that the client holds.

What is for all clients is read anew at most every second, in this process; what is for one client alone is asked for
only when its row says that there is something newer.
"""

from dataclasses import dataclass
from datetime import datetime

from console.servers.models import Server
from keys.models.root import Root
from keys.models.subordinate import Subordinate
from keys.purposes import Purpose
from keys.readiness import RESET_MOST
from trust.clients.fresh import Fresh
from trust.models.clients import Client
from trust.models.counts import Count
from trust.models.documents import SignedDocument
from trust.models.questions import Question
from trust.publishing.latest import Latest, envelope, in_force, latest, own
from trust.wire.messages import Registration
from trust.wire.signed import Envelope

KEPT_S = 1.0
MOST_QUESTIONS = 20
MOVES_PER_SECOND = 50
"""Of a fleet that follows a newer root: far fewer than a listener can certify (`./run bench enrolment`)."""
LONGEST_MOVE_S = int(RESET_MOST.total_seconds())


@dataclass(frozen=True)
class General:
    """What is signed for every client, with each question's document in the order of their sequences.

    `move_within_s` is over how long all clients are to be certified below a newer root (`trust.wire.messages`).
    """

    latest: Latest
    questions: tuple[SignedDocument, ...]
    move_within_s: int


def newer_than(asked: Registration, client: Client, server: Server, now: datetime) -> tuple[Envelope, ...]:
    """Return what the client is to be told, in the order in which it should read it: the trust list first."""
    found = general(server)
    documents = list(
        found.latest.newer(
            now,
            trust_list=asked.trust_list,
            settings=asked.settings,
            directive=asked.directive,
            question=found.latest.question.sequence if found.latest.question else 0,
        )
    )
    # What the client did not take of one kind, when it took something newer of the other, waits for its next full
    # registration: until then the row has nothing new to say, and most clients have nothing of one kind.
    held = (min if asked.full else max)(asked.own_settings, asked.own_directive)
    if client.own_sequence > held:
        documents += own(client.pk, settings=asked.own_settings, directive=asked.own_directive)
    if client.authenticated:  # nobody else can answer
        documents += [one for one in found.questions if one.sequence > asked.question and in_force(one, now)]
    return tuple(envelope(document) for document in documents)


def general(server: Server) -> General:
    """Return what stood within the last second."""
    return _fresh.get(server, KEPT_S)


def read(server: Server) -> General:
    """Return what stands now: four queries."""
    signed = Question.objects.filter(server=server, document__isnull=False).select_related("document")
    newest = [question.document for question in signed.order_by("-asked_at")[:MOST_QUESTIONS] if question.document]
    return General(
        latest(server), tuple(sorted(newest, key=lambda document: document.sequence)), _move_within_s(server)
    )


def _move_within_s(server: Server) -> int:
    newest = Root.objects.numbered(server).values("pk")[:1]
    if not Subordinate.objects.active(server).filter(purpose=Purpose.CLIENT_TLS_CA, root=newest).exists():
        return LONGEST_MOVE_S  # nobody can be certified below it yet
    clients = Count.objects.filter(name="clients").values_list("value", flat=True).first() or 0
    return min(clients // MOVES_PER_SECOND, LONGEST_MOVE_S)


_fresh: Fresh[Server, General] = Fresh(read)


def forget() -> None:
    """Read anew at the next call (for tests)."""
    _fresh.forget()
