"""What a question's page shows: how far it is, what was answered how often, and when the page asks again."""

import re
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Count, Q

from console.home import Mark
from console.jobs.models import Job, State
from keys.models.root import Root
from trust.clients import counting
from trust.models.questions import Answer, Question, QuestionKind
from trust.questions.asking import job_of

MOST_VALUES = 12
ENDED_BADLY = (State.FAILED, State.CANCELLED)
FINGERPRINT = re.compile(r"[0-9a-f]{64}")
# Counting them by value says something only where many clients give the same answer.
COUNTED = (QuestionKind.CLIENT_VERSION, QuestionKind.USING_TLS, QuestionKind.ROOT_KEYS_HELD)


@dataclass(frozen=True)
class Tally:
    """How many clients gave this answer; `share` in whole per cent of those that answered."""

    value: str
    number: int
    share: int


@dataclass(frozen=True)
class Results:
    """`fault` is why the question is not signed; `wait_ms` is 0 when the page need not ask again."""

    mark: Mark
    summary: str
    answered: int
    failed: int
    connected: int
    tallies: tuple[Tally, ...]
    fault: str
    next_step: str
    wait_ms: int


def results(question: Question, now: datetime) -> Results:
    """Return what is known now."""
    answers = Answer.objects.filter(question=question)
    numbers = answers.aggregate(all=Count("pk"), failed=Count("pk", filter=Q(failed=True)))
    job = None if question.document_id else job_of(question)
    fault = job is not None and (job.state in ENDED_BADLY or (job.state == State.SCHEDULED and job.attempts > 0))
    mark, summary = _standing(question, job, now, any_answer=numbers["all"] > 0, fault=fault)
    if numbers["failed"] and mark is Mark.OK:
        mark = Mark.WARN
    return Results(
        mark=mark,
        summary=summary,
        answered=numbers["all"],
        failed=numbers["failed"],
        connected=counting.last().of("clients.connected"),
        tallies=_tallies(question, numbers["all"]),
        fault=job.message if job and fault else "",
        next_step=job.next_step if job and fault else "",
        wait_ms=_wait_ms(question, job, now),
    )


def readable(value: str, names: dict[str, str]) -> str:
    """Return an answer with the fingerprints of our own roots replaced by their names."""
    return FINGERPRINT.sub(lambda found: names.get(found[0], found[0]), value)


def root_names(question: Question) -> dict[str, str]:
    """Return the names of roots by fingerprint, for a question whose answers hold them."""
    if question.kind != QuestionKind.ROOT_KEYS_HELD:
        return {}
    return {root.fingerprint or "": root.short_name for root in Root.objects.exclude(fingerprint=None)}


def _standing(question: Question, job: Job | None, now: datetime, *, any_answer: bool, fault: bool) -> tuple[Mark, str]:
    if question.document_id is None:
        if job is None or job.state in ENDED_BADLY:
            return Mark.BAD, "It was not signed, so no client was asked"
        return (Mark.WARN, "Signing failed; it is tried again") if fault else (Mark.IDLE, "Being signed")
    if question.closes_at <= now:
        return (Mark.OK, "Closed") if any_answer else (Mark.WARN, "Closed without an answer")
    return Mark.OK if any_answer else Mark.IDLE, "Clients are asked as they register"


def _tallies(question: Question, answered: int) -> tuple[Tally, ...]:
    if question.kind not in COUNTED or not answered:
        return ()
    names = root_names(question)
    good = Answer.objects.filter(question=question, failed=False).order_by()
    found = good.values_list("value").annotate(number=Count("pk")).order_by("-number", "value")[:MOST_VALUES]
    return tuple(Tally(readable(value, names), number, 100 * number // answered) for value, number in found)


def _wait_ms(question: Question, job: Job | None, now: datetime) -> int:
    """Return when the page asks again: soon at first, never after the question's end."""
    if question.closes_at <= now or (question.document_id is None and (job is None or not job.is_open)):
        return 0
    elapsed = (now - question.asked_at).total_seconds()
    return 1000 if elapsed < 15 else 2000 if elapsed < 180 else 5000
