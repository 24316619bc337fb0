"""Forget what nobody stands behind: names that never proved a key and stay away, and keys that wait no longer.

And old answers to questions: of a million clients each question brings a million rows.

Whoever reaches a port on which nothing has to be proven can make up names. Their rows are few in a minute
(`trust.clients.newcomers`), and they do not stay. A client that proved a key is never forgotten, a revoked one neither.
"""

from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import F, Q

from console.activity import log
from console.lib.actor import Actor
from console.servers.models import Server
from trust.actions import Action
from trust.models.clients import Client, ClientState, PendingEnrolment
from trust.models.questions import Answer, Question

SILENT_FOR = timedelta(days=30)
# A client registers each minute: a name that was heard of for less than an hour was never one.
PASSED_BY = timedelta(hours=1)
PASSED_BY_FOR = timedelta(days=1)
WAITED_LAST = timedelta(days=7)
"""A client that waits asks again every five minutes."""
ANSWERS_KEPT = timedelta(days=90)  # as long as finished jobs
CHUNK = 500  # rows in one short transaction
MOST = 50_000  # names, and answers, in one run


def forget(server: Server, now: datetime) -> tuple[int, int]:
    """Delete them; return how many names, and how many keys that waited."""
    names = 0
    while names < MOST and (gone := _forget_some(server, now)):
        names += gone
    waited, _ = PendingEnrolment.objects.filter(client__server=server, last_at__lt=now - WAITED_LAST).delete()
    return names, waited


def forget_answers(server: Server, now: datetime) -> int:
    """Delete the answers to questions that were closed long ago, then those questions; return how many answers."""
    questions = Question.objects.filter(server=server, closes_at__lt=now - ANSWERS_KEPT)
    answers, gone = Answer.objects.filter(question__in=questions), 0
    while gone < MOST and (chunk := list(answers.order_by().values_list("pk", flat=True)[:CHUNK])):
        gone += Answer.objects.filter(pk__in=chunk).delete()[0]
    questions.filter(answers=None).delete()
    return gone


@transaction.atomic
def _forget_some(server: Server, now: datetime) -> int:
    silent = Q(last_seen__lt=now - SILENT_FOR)
    passed_by = Q(last_seen__lt=now - PASSED_BY_FOR) & Q(last_seen__lt=F("created_at") + PASSED_BY)
    unproven = Client.objects.filter(silent | passed_by, server=server, authenticated=False, state=ClientState.ACTIVE)
    chunk = list(unproven.order_by("last_seen").values_list("pk", flat=True)[:CHUNK])
    # Once more the condition: one of them may just have come back.
    _, rows = unproven.filter(pk__in=chunk).delete()
    gone = rows.get(Client._meta.label, 0)
    if gone:
        log.append(Action.CLIENTS_FORGOTTEN, server.subject, actor=Actor.system(), details={"names": gone})
    return gone
