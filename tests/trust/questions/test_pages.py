"""Questions in the console: who may ask, what is signed, and answers and failures as they come."""

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import msgspec
import pytest
from django.test import Client as HttpClient
from django.urls import reverse

from console.accounts.grants import RoleKey
from console.activity.models import Entry
from console.jobs.models import Job
from console.lib import clock
from console.servers.models import Server
from keys import setup as keys_setup
from keys.models.subordinate import Subordinate
from keys.purposes import Purpose
from tests.fixtures.users import create_user, sign_in
from tests.trust import rows
from tests.trust.clients.registration.conftest import Machine, certify, machine
from trust.actions import Action
from trust.models.questions import Answer, Question, QuestionKind
from trust.publishing.latest import envelope
from trust.questions import asking
from trust.wire import documents, signed

__all__ = ["machine"]
pytestmark = pytest.mark.django_db

RunJobs = Callable[..., list[Job]]


@pytest.fixture
def asker(server: Server) -> HttpClient:
    return sign_in(create_user("quentin", RoleKey.QUESTION_USER))


@pytest.fixture
def keys(server: Server) -> Subordinate:
    """Return the message-signing key, which set-up made."""
    keys_setup.make_first_root()
    keys_setup.make_subordinates()
    return Subordinate.objects.active(server).get(purpose=Purpose.MESSAGE_SIGNING)


def ask(http: HttpClient, kind: str = "computer-name", minutes: int = 30) -> Question:
    answer = http.post(reverse("trust:ask"), {"kind": kind, "minutes": minutes})
    assert answer.status_code == 302, answer.content
    return Question.objects.get(pk=answer["Location"].rstrip("/").rsplit("/", 1)[-1])


def page(http: HttpClient, question: Question) -> str:
    found = http.get(reverse("trust:question", args=[question.pk])).content.decode()
    return re.sub(r"\s+", " ", found)


def answered(question: Question, name: str, value: str, *, failed: bool = False) -> Answer:
    client = rows.client(question.server, name)
    return Answer.objects.create(question=question, client=client, at=clock.now(), value=value, failed=failed)


def test_a_question_user_sees_home_and_asks_and_nothing_else(
    asker: HttpClient, server: Server
) -> None:  # ROL-04, HSI-26
    home = asker.get("/").content.decode()
    assert "Environment Status" in home
    assert "Ask a question" in home
    assert "Root keys" not in home
    question = ask(asker)
    assert "Asked by quentin" in page(asker, question)
    for name in ("keys:current-server", "keys:integration", "settings_store:list", "jobs:list"):
        assert asker.get(reverse(name)).status_code == 403


def test_who_lacks_the_right_cannot_ask(auditor_client: HttpClient, user_client: HttpClient, asker: HttpClient) -> None:
    question = ask(asker)
    for http, sees in ((auditor_client, 200), (user_client, 403)):
        assert http.get(reverse("trust:question", args=[question.pk])).status_code == sees
        assert http.get(reverse("trust:questions")).status_code == sees
        assert http.get(reverse("trust:ask")).status_code == 403
        assert http.post(reverse("trust:ask"), {"kind": "using-tls", "minutes": 30}).status_code == 403
    assert Question.objects.count() == 1


def test_the_message_signing_key_signs_what_was_asked(  # AMB-03, HSI-28, KEY-47
    asker: HttpClient, keys: Subordinate, run_jobs: RunJobs
) -> None:
    question = ask(asker, "root-keys-held", minutes=5)
    assert "Being signed" in page(asker, question)
    run_jobs()
    question.refresh_from_db()
    assert question.document
    sent = envelope(question.document)
    signed.check(sent)
    assert sent.signer == bytes(keys.certificate_der)
    says = documents.decode(sent.payload, documents.Question)
    assert (says.question, says.asked, says.audience) == (str(question.pk), "root-keys-held", "*")
    assert says.expires_at == question.closes_at
    shown = page(asker, question)
    assert "Clients are asked as they register" in shown
    assert "No answer yet" in shown
    entries = Entry.objects.filter(action__startswith="trust.question").values_list("action", "actor")
    assert set(entries) == {(Action.QUESTION_ASKED, "quentin"), (Action.QUESTION_SIGNED, "quentin")}


def test_a_key_that_cannot_sign_is_named_and_it_is_tried_again(asker: HttpClient, run_jobs: RunJobs) -> None:
    question = ask(asker)
    run_jobs()
    shown = page(asker, question)
    assert "Signing failed; it is tried again" in shown
    assert "There is no key yet that signs what clients are told." in shown
    keys_setup.make_first_root()
    keys_setup.make_subordinates()
    job = asking.job_of(question)
    assert job
    Job.objects.filter(pk=job.pk).update(due_at=clock.now())
    run_jobs(due=True)
    assert "Clients are asked as they register" in page(asker, question)


def test_a_question_whose_time_ended_unsigned_says_so(
    asker: HttpClient, run_jobs: RunJobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    question = ask(asker, minutes=5)
    later = clock.now() + timedelta(minutes=6)
    with monkeypatch.context() as moved:
        moved.setattr(clock, "now", lambda: later)
        run_jobs()
    shown = page(asker, question)
    assert "It was not signed, so no client was asked" in shown
    assert "No client got it." in shown
    assert "hx-trigger" not in shown.partition('id="results"')[2].partition(">")[0]


def test_a_client_answers_once_while_the_question_is_open(
    machine: Machine, keys: Subordinate, run_jobs: RunJobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    above = Subordinate.objects.active(keys.server).get(purpose=Purpose.CLIENT_TLS_CA)
    machine.shows = bytes(certify(rows.client(keys.server, machine.name), above).der)
    question = asking.ask(QuestionKind.COMPUTER_NAME, actor=keys_actor())
    assert send(machine, question, "host-1") == (404, "question-unknown")
    for no_id in ("0" * 36, "-" * 36):
        unknown = machine.send(msgspec.json.encode({"question": no_id, "value": "host-1"}), "/v1/answers")
        assert (unknown.status_code, unknown.json()["code"]) == (404, "question-unknown")
    run_jobs()
    (told,) = [one for one in machine.register().json()["documents"] if one["kind"] == "question"]
    assert told["payload"]
    certificate, machine.shows = machine.shows, None
    assert send(machine, question, "host-1") == (403, "enrol-first")
    machine.shows = certificate
    assert send(machine, question, "host\n1") == (204, "")
    assert send(machine, question, "host\n1") == (204, "")
    assert send(machine, question, "host-2") == (409, "answered")
    assert Answer.objects.get().value == "host 1"
    later = question.closes_at
    monkeypatch.setattr(clock, "now", lambda: later)
    assert send(machine, question, "host 1") == (403, "question-closed")


def test_answers_and_failures_are_shown_as_they_come(asker: HttpClient, keys: Subordinate, run_jobs: RunJobs) -> None:
    question = ask(asker, "using-tls")
    run_jobs()
    for number in range(3):
        answered(question, f"host-{number}", "Yes")
    answered(question, "host-old", "No")
    answered(question, "host-lost", "The signature of the document is wrong.", failed=True)
    fragment = asker.get(reverse("trust:question-results", args=[question.pk])).content.decode()
    assert "<html" not in fragment
    text = re.sub(r"\s+", " ", fragment)
    assert re.search(r">Yes</th><td class=\"num\">3</td><td class=\"num\">60%", text)
    assert text.count("Verified</span>") == 4
    assert "The signature of the document is wrong." in text
    assert "Some clients could not verify the question." in text
    assert 'hx-trigger="load delay' in text


def test_roots_are_named_and_many_answers_are_paged(asker: HttpClient, keys: Subordinate, run_jobs: RunJobs) -> None:
    question = ask(asker, "root-keys-held")
    run_jobs()
    held = keys.root.fingerprint
    for number in range(51):
        answered(question, f"host-{number:02}", f"{held}")
    first = page(asker, question)
    assert "Root 0" in first
    assert str(held) not in first
    assert "host-50" in first
    assert "host-00" not in first
    following = re.search(r'id="pager-next" href="([^"]+)"', first)
    assert following
    second = asker.get(following[1].replace("&amp;", "&")).content.decode()
    assert "host-00" in second
    assert "load delay" not in second


def test_the_list_says_how_each_question_stands(asker: HttpClient, server: Server) -> None:
    assert "No question was asked yet" in asker.get(reverse("trust:questions")).content.decode()
    ask(asker)
    listed = asker.get(reverse("trust:questions")).content.decode()
    assert "Not signed yet" in listed
    assert "quentin" in listed


@pytest.mark.parametrize("form", [{}, {"kind": "everything", "minutes": 30}, {"kind": "using-tls", "minutes": 7}])
def test_a_wrong_form_is_said_beside_the_field(asker: HttpClient, form: dict[str, Any]) -> None:
    answer = asker.post(reverse("trust:ask"), form)
    assert answer.status_code == 422
    assert not Question.objects.exists()


def send(machine: Machine, question: Question, value: str) -> tuple[int, str]:
    body = msgspec.json.encode({"question": str(question.pk), "value": value})
    answer = machine.send(body, "/v1/answers")
    return answer.status_code, answer.json()["code"] if answer.content else ""


def keys_actor() -> Any:
    return create_user("rosa", RoleKey.QUESTION_USER).actor
