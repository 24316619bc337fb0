"""Sign a question with the message-signing key, wherever that key lives. For the worker."""

from console.activity import log
from console.lib import clock
from console.lib.actor import Actor
from console.lib.errors import NotFoundError, RefusedError
from trust.actions import Action
from trust.errors import OutdatedError
from trust.models.documents import EVERYONE, DocumentKind, SignedDocument
from trust.models.questions import Question
from trust.publishing.signing import sign_document
from trust.wire import documents
from trust.wire.signed import Kind

TRIES = 3


def sign(question_id: str, *, actor: Actor) -> Question:
    """Return the question, signed; one that is signed already stays as it is.

    Raises RefusedError when its time is over, and what signing raises: the question then waits unsigned.
    """
    question = Question.objects.select_related("server").filter(pk=question_id).first()
    if question is None:
        raise NotFoundError("There is no such question any more.")
    for attempt in range(1, TRIES + 1):
        if question.document_id is not None:
            break
        if question.closes_at <= clock.now():
            raise RefusedError("The question's time ended before it could be signed. No client got it.", code="closed")
        try:
            _sign(question, actor)
        except OutdatedError:
            # Another question was signed meanwhile, with a higher sequence: clients would refuse this one.
            if attempt == TRIES:
                raise
        question.refresh_from_db()
    return question


def _sign(question: Question, actor: Actor) -> None:
    def payload(sequence: int) -> documents.Question:
        return documents.Question(
            server=question.server.fqdn,
            audience=EVERYONE,
            sequence=sequence,
            issued_at=clock.now(),
            expires_at=question.closes_at,
            question=str(question.pk),
            asked=question.kind,
        )

    def is_newest(document: SignedDocument) -> bool:
        asked = SignedDocument.objects.filter(
            server=document.server, kind=DocumentKind.QUESTION, audience=EVERYONE, sequence__gt=document.sequence
        )
        waits = Question.objects.filter(pk=question.pk, document__isnull=True)
        return waits.exists() and not asked.exists()

    def attach(document: SignedDocument) -> None:
        Question.objects.filter(pk=question.pk, document__isnull=True).update(document=document)
        log.append(Action.QUESTION_SIGNED, question.subject, actor=actor, details={"sequence": document.sequence})

    sign_document(question.server, Kind.QUESTION, payload, still=is_newest, then=attach)
