"""Running one job: claimed once, its end written down whatever it is."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from console.activity.models import Entry
from console.celery import app
from console.jobs.kinds import JobKind
from console.jobs.models import Job, State
from console.jobs.running import UNEXPECTED, Run, running
from console.lib import clock
from console.lib.errors import RefusedError, UnavailableError
from console.lib.secret import Secret
from tests.console.jobs.conftest import Work

pytestmark = pytest.mark.django_db

MakeKind = Callable[..., JobKind]
MakeJob = Callable[..., Job]


def _run(job: Job) -> Job:
    app.tasks[job.kind.task].run(str(job.pk))
    job.refresh_from_db()
    return job


def test_the_end_and_the_message_are_kept(make_kind: MakeKind, make_job: MakeJob, work: Work) -> None:
    def count(run: Run) -> str:
        run.progress(1, 2, "half")
        run.result["lines"] = ["ok"]
        return "Made it."

    work.does = count
    job = _run(make_job(make_kind()))
    assert (job.state, job.message, job.done, job.total) == (State.SUCCEEDED, "Made it.", 2, 2)
    assert job.result == {"lines": ["ok"]}
    assert job.finished_at


def test_a_redelivered_message_is_harmless(make_kind: MakeKind, make_job: MakeJob, work: Work) -> None:
    job = make_job(make_kind())
    _run(job)
    _run(job)
    assert work.runs == [1]


def test_two_workers_claim_it_once(make_kind: MakeKind, make_job: MakeJob) -> None:
    job = make_job(make_kind())
    with running(str(job.pk)) as first, running(str(job.pk)) as second:
        assert first
        assert second is None


def test_a_refusal_keeps_its_message_code_and_next_step(make_kind: MakeKind, make_job: MakeJob, work: Work) -> None:
    def refuse(_run: Run) -> None:
        raise RefusedError("The PIN was wrong.", code="CKR_PIN_INCORRECT", next_step="Enter the PIN again.")

    work.does = refuse
    job = _run(make_job(make_kind()))
    assert (job.state, job.message) == (State.FAILED, "The PIN was wrong.")
    assert (job.error_code, job.next_step) == ("CKR_PIN_INCORRECT", "Enter the PIN again.")
    assert Entry.objects.get(action="jobs.failed").subject_id == str(job.pk)


@pytest.mark.parametrize("error", [ZeroDivisionError("PIN 4711"), MemoryError("PIN 4711")])
def test_an_unforeseen_error_says_nothing_of_its_text(
    make_kind: MakeKind, make_job: MakeJob, work: Work, error: Exception
) -> None:
    def crash(_run: Run) -> None:
        raise error

    work.does = crash
    job = _run(make_job(make_kind()))
    assert (job.state, job.message, job.error_code) == (State.FAILED, UNEXPECTED, type(error).__name__)
    assert "4711" not in Entry.objects.get(action="jobs.failed").details


def test_a_fault_that_may_pass_is_tried_again_later(make_kind: MakeKind, make_job: MakeJob, work: Work) -> None:
    def away(_run: Run) -> None:
        raise UnavailableError("The token is offline.", code="CKR_TOKEN_NOT_PRESENT")

    work.does = away
    job = _run(make_job(make_kind(retry_delays_s=(60, 600), max_attempts=3)))
    assert (job.state, job.error_code) == (State.SCHEDULED, "CKR_TOKEN_NOT_PRESENT")
    assert timedelta(seconds=55) < job.due_at - clock.now() <= timedelta(seconds=60)
    for expected in (State.SCHEDULED, State.FAILED):
        Job.objects.filter(pk=job.pk).update(state=State.QUEUED)
        assert _run(job).state == expected
    assert work.runs == [1, 2, 3]


def test_an_attempt_that_was_declared_lost_writes_nothing(make_kind: MakeKind, make_job: MakeJob) -> None:
    job = make_job(make_kind())
    with running(str(job.pk)) as run:
        assert run
        Job.objects.filter(pk=job.pk).update(attempts=2)
        run.succeed("late")
    job.refresh_from_db()
    assert job.state == State.RUNNING
    assert job.message == ""


def test_a_housekeeping_row_comes_back(make_kind: MakeKind, make_job: MakeJob) -> None:  # MIS-12
    job = make_job(make_kind())
    Job.objects.filter(pk=job.pk).update(every_s=60)
    job = _run(job)
    assert job.state == State.SCHEDULED
    assert job.finished_at
    assert job.due_at > clock.now()


def test_a_secret_in_a_result_does_not_reach_the_row(
    make_kind: MakeKind, make_job: MakeJob, work: Work
) -> None:  # MIS-13
    def leak(run: Run) -> None:
        run.result["pin"] = Secret("4711")

    work.does = leak
    job = _run(make_job(make_kind()))
    assert (job.state, job.message) == (State.FAILED, UNEXPECTED)
    assert not Job.objects.filter(result__icontains="4711").exists()
