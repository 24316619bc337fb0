"""Take answers in (AMB-03): from clients that prove who they are, once each, while the question is open."""

from uuid import UUID

from django.db import IntegrityError, transaction

from console.lib import clock
from console.lib.errors import ConflictError, NotFoundError, RefusedError
from trust.clients.identity import identify
from trust.listening.peer import Peer
from trust.models.questions import Answer, Question
from trust.wire import messages


def take(given: messages.Answer, peer: Peer) -> Answer:
    """Store an answer, and return it; the same one again returns the first.

    Raises RefusedError without a certificate or after the question's end, NotFoundError, ConflictError for a second,
    different answer.
    """
    now = clock.now()
    if peer.certificate_der is None:
        raise RefusedError("Only a client that shows its certificate can answer.", code="enrol-first")
    client = identify(peer.certificate_der, now).client
    question = _asked(given.question)
    if question is None:
        raise NotFoundError("There is no such question.", code="question-unknown")
    if question.closes_at <= now:
        raise RefusedError("The question is closed.", code="question-closed")
    try:
        with transaction.atomic():
            return Answer.objects.create(
                question=question, client=client, at=now, failed=given.failed, value=_shown(given.value)
            )
    except IntegrityError as error:
        return _first(question, client.pk, given, error)


def _asked(question_id: str) -> Question | None:
    try:
        return Question.objects.filter(pk=UUID(question_id), document__isnull=False).first()
    except ValueError:  # as long as an id, of the same signs, and none
        return None


def _first(question: Question, client_id: UUID, given: messages.Answer, error: IntegrityError) -> Answer:
    answer = Answer.objects.filter(question=question, client_id=client_id).first()
    if answer is None or (answer.failed, answer.value) != (given.failed, _shown(given.value)):
        raise ConflictError("This client has answered already, differently.", code="answered") from error
    return answer


def _shown(value: str) -> str:
    """Return the value with everything that could not be shown on one line replaced."""
    return "".join(sign if sign.isprintable() else " " for sign in value)
