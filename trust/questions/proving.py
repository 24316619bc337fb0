"""Two proofs for Verify of the keys, in the worker: clients are connected, and one answers (HSI-27, HSI-28)."""

from collections.abc import Callable
from datetime import timedelta
from time import monotonic, sleep

from django.db import transaction

from console.activity import log
from console.activity.models import Outcome
from console.lib import clock
from console.lib.actor import Actor
from console.servers.models import Server
from keys import proofs, roots
from keys.proofs import NotProvenError
from trust.actions import Action
from trust.clients.counting import connected
from trust.models.clients import Client, RootSet
from trust.models.questions import Answer, Question, QuestionKind
from trust.questions import asking, signing

WAIT_S = 110
"""Longer than the longest pause between two registrations of a client that is connected."""
LOOK_EVERY_S = 0.5
OPEN_FOR = timedelta(minutes=5)


class ClientsConnected:
    """At least one client that is connected says that it holds the newest root key."""

    name = "Clients connected"

    def prove(self, server: Server, *, actor: Actor, progress: Callable[[str], None]) -> str:
        """Return how many do; raises NotProvenError."""
        del actor, progress
        newest = roots.newest(server)
        if newest is None:
            raise NotProvenError("There is no root key that clients could trust.", next_step="Create a root key.")
        there = Client.objects.filter(connected(clock.now()), server=server)
        number = there.count()
        if not number:
            raise NotProvenError(
                "No client is connected.",
                next_step="Download keystead-init.dat on Infrastructure, start a client with it, and verify again.",
            )
        sets = [row.pk for row in RootSet.objects.all() if newest.fingerprint in row.fingerprints]
        trusting = there.filter(authenticated=True, holding__in=sets).count()
        if not trusting:
            raise NotProvenError(
                f"{number:,} connected, and none says that it holds {newest.short_name}.",
                next_step="Clients learn of a new root key when they register. Verify again in two minutes.",
            )
        return f"{trusting:,} of {number:,} connected clients trust {newest.short_name}."


class QuestionAnswered:
    """A client verifies a question, signed with the message-signing key, up to a root key that it holds."""

    name = "A question answered"

    def prove(self, server: Server, *, actor: Actor, progress: Callable[[str], None]) -> str:
        """Ask, and return the first answer; raises NotProvenError when none comes, or what signing raises."""
        there = Client.objects.filter(connected(clock.now()), server=server, authenticated=True).count()
        if not there:
            raise NotProvenError(
                "No client that could answer is connected, so none was asked.",
                next_step="Start a client of version 7.4 or later, and verify again.",
            )
        question = signing.sign(str(_ask(actor).pk), actor=actor)
        progress(f"{self.name}: waiting for one of {there:,} connected clients")
        return _first_answer(question)


def _ask(actor: Actor) -> Question:
    with transaction.atomic():
        question = asking.record(QuestionKind.CLIENT_VERSION, actor=actor, open_for=OPEN_FOR)
        log.append(Action.QUESTION_ASKED, question.subject, actor=actor, outcome=Outcome.REQUESTED)
    return question


def _first_answer(question: Question) -> str:
    began = monotonic()
    while monotonic() - began < WAIT_S:
        answer = Answer.objects.filter(question=question, failed=False).select_related("client").first()
        if answer is not None:
            return f"{answer.client.name} verified the signature up to its root key and answered “{answer.value}”."
        sleep(LOOK_EVERY_S)
    failed = Answer.objects.filter(question=question, failed=True).select_related("client").first()
    if failed is not None:
        raise NotProvenError(
            f"{failed.client.name} could not verify the question: {failed.value}",
            next_step="Review the PKI log of that client, and reset its public key.",
        )
    raise NotProvenError(
        f"No client answered within {WAIT_S} seconds.",
        next_step="Look at Client Status, and at the PKI logs of server and clients.",
    )


def register() -> None:
    """Let Verify ask for these two; called when the worker loads its tasks."""
    proofs.register(ClientsConnected())
    proofs.register(QuestionAnswered())
