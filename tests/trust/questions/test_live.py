"""A question to a real client over the real listener: asked, signed, verified up to the root, answered; or not."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from console.jobs import queue
from console.jobs.models import Job
from keys.jobs import VERIFY_KEYS
from tests.fixtures.listener import Listener
from tests.fixtures.processes import wait_for
from tests.keys.conftest import ALICE
from tests.trust import authorities
from trust.agent import beginning
from trust.agent.agent import Agent
from trust.agent.directory import Directory
from trust.infrastructure import writing
from trust.infrastructure.credentials import Limits
from trust.infrastructure.files import Wanted
from trust.models.clients import Client
from trust.models.documents import SignedDocument
from trust.models.questions import Answer, QuestionKind
from trust.publishing import publishing
from trust.questions import asking, proving
from trust.wire import signed
from trust.wire.initfile import Address
from trust.wire.signed import Kind

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

RunJobs = Callable[..., list[Job]]
NAME = "client-17.example"


class Ahead:
    """The clock of this machine, turned on: what is due comes at once."""

    def __init__(self) -> None:
        self.by = timedelta()

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.by


def test_verify_runs_whole_and_a_wrong_key_brings_no_result(  # HSI-27, HSI-28, HSI-36, KEY-47, AMB-03
    listener: Listener, tmp_path: Path, run_jobs: RunJobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = listener.server
    assert server
    publishing.start_due(server)
    run_jobs()
    listener.file()
    path, clock = tmp_path / "keystead-init.dat", Ahead()
    writing.write(path, Wanted(token=server.pk, limits=Limits()), actor=ALICE)
    connect = Address(listener.address, listener.port, 0)
    beginning.from_init(Directory(tmp_path / "d"), path.read_bytes(), name=NAME, connect=connect)
    agent = Agent(tmp_path / "d", clock=clock, jitter=lambda low, _high: low)

    def comes_again(_seconds: float = 0) -> None:
        clock.by += timedelta(seconds=90)
        agent.step()

    for _ in range(4):
        comes_again()
    assert Client.objects.get(name=NAME).holding

    monkeypatch.setattr(proving, "sleep", comes_again)
    job = queue.enqueue(VERIFY_KEYS, subject=server.subject, actor=ALICE)
    run_jobs()
    job.refresh_from_db()
    lines = {line["name"]: line for line in job.result["lines"]}
    assert lines["Clients connected"]["detail"] == "1 of 1 connected clients trust Root 0."
    assert f"{NAME} verified the signature up to its root key" in lines["A question answered"]["detail"]
    assert job.message == "Every check passed."

    question = asking.ask(QuestionKind.USING_TLS, actor=ALICE)
    run_jobs()
    question.refresh_from_db()
    assert question.document
    forged(question.document)

    def is_answered() -> bool:
        comes_again()
        return Answer.objects.filter(question=question).exists()

    # The listener keeps what it hands out for a second.
    wait_for(is_answered, what="an answer", every_s=0.2)
    answer = Answer.objects.get(question=question)
    agent.close()
    assert answer.failed
    assert "does not lead to a root" in answer.value


def forged(document: SignedDocument) -> None:
    """Sign the document with a key that no root of the server certified, as whoever writes to the database could."""
    signer = authorities.below(authorities.root("Elsewhere"), "signer", purposes=[authorities.MESSAGE_SIGNING])
    document.signature = signer.sign(signed.signed_bytes(Kind.QUESTION, bytes(document.payload)))
    document.signer_der, document.chain = signer.der, []
    document.save()
