"""Ask clients a question, in the web process: the row, the job that signs it, and the entry."""

from datetime import timedelta

from django.db import transaction

from console.activity import log
from console.activity.models import Outcome
from console.jobs import queue
from console.jobs.models import Job
from console.lib import clock
from console.lib.actor import Actor
from console.servers.current import current
from trust.actions import Action
from trust.jobs import SIGN_QUESTION
from trust.models.questions import Question, QuestionKind

OPEN_FOR = timedelta(minutes=30)
MINUTES = (5, 30, 120, 1440)
"""How long a question may be open: an answer needs one registration, which comes every 30 to 90 seconds."""


@transaction.atomic
def ask(kind: QuestionKind, *, actor: Actor, open_for: timedelta = OPEN_FOR) -> Question:
    """Ask every client of this server; the worker signs the question, and clients get it as they register."""
    question = record(kind, actor=actor, open_for=open_for)
    queue.enqueue(SIGN_QUESTION, subject=question.subject, actor=actor)
    log.append(
        Action.QUESTION_ASKED,
        question.subject,
        actor=actor,
        outcome=Outcome.REQUESTED,
        details={"open_for_minutes": int(open_for.total_seconds() / 60)},
    )
    return question


def record(kind: QuestionKind, *, actor: Actor, open_for: timedelta) -> Question:
    """Store a question that is not signed yet."""
    now = clock.now()
    return Question.objects.create(
        server=current(),
        kind=kind,
        asked_by=actor.name or actor.planned_by,
        asked_by_id=actor.id,
        asked_at=now,
        closes_at=now + open_for,
    )


def job_of(question: Question) -> Job | None:
    """Return the job that signs a question, or that asked it."""
    return Job.objects.filter(subject_kind="question", subject_id=str(question.pk)).order_by("-created_at").first()
