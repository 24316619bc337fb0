"""A revocation that waits until nobody needs the root any more, and what it takes not to wait."""

import json
from collections.abc import Callable
from datetime import timedelta

import pytest

from console.activity.models import Entry
from console.jobs import acts, queue
from console.jobs.models import Job, State
from console.lib import clock
from console.lib.errors import InvalidError, RefusedError
from console.servers.models import Server
from keys import revocation, witnesses
from keys.actions import Action
from keys.models.root import RevocationReason, Root, RootState
from keys.revocation import Plan
from keys.standing import Standing
from tests.keys.conftest import ALICE, BOB

pytestmark = pytest.mark.django_db

MakeRoot = Callable[..., Root]
RunJobs = Callable[..., list[Job]]


class Someone:
    """So many that need a root: a roll as `trust` has one."""

    number = 2

    def dependants(self, _root: Root) -> None:
        return None

    def left(self, _root: Root, _reason: str) -> int:
        return self.number

    def counted(self, _roots: object) -> dict[object, witnesses.Counted]:
        return {}


@pytest.fixture
def someone(monkeypatch: pytest.MonkeyPatch) -> Someone:
    made = Someone()
    monkeypatch.setattr(witnesses, "_rolls", {"someone": made})
    return made


@pytest.fixture
def waiting(make_root: MakeRoot, run_jobs: RunJobs, someone: Someone, move_clock: Callable[..., None]) -> Root:
    """Return a root whose revocation has come to its date and waits."""
    old, _ = make_root(), make_root()
    revocation.request(old, plan(old, ready=True, due_in=timedelta(hours=1)), actor=ALICE)
    move_clock(hours=2)
    run_jobs(due=True)
    assert someone.number
    return old


def plan(
    root: Root, *, ready: bool = False, due_in: timedelta | None = None, note: str = "", reason: str = "policy"
) -> Plan:
    seen = revocation.digest(revocation.consequences(root, Standing.read(root.server)))
    due_at = clock.now() + due_in if due_in else None
    return Plan(RevocationReason(reason), note, seen, due_at, only_when_ready=ready)


def job_of(root: Root) -> Job:
    return Job.objects.get(kind_name="keys.revoke-root", subject_id=str(root.pk))


def test_it_waits_in_view_and_revokes_when_the_last_one_is_ready(
    waiting: Root, someone: Someone, run_jobs: RunJobs, move_clock: Callable[..., None]
) -> None:
    job = job_of(waiting)
    assert (job.state, waiting.state) == (State.SCHEDULED, RootState.ACTIVE)
    assert job.message == "2 clients still need Root 0: it is not revoked before nobody does."
    assert job.due_at > clock.now()  # the next look
    someone.number = 0
    move_clock(hours=3)
    run_jobs(due=True)
    waiting.refresh_from_db()
    assert waiting.state == RootState.REVOKED


def test_running_it_now_needs_a_reason_which_the_log_keeps(waiting: Root, server: Server, run_jobs: RunJobs) -> None:
    job = job_of(waiting)
    with pytest.raises(RefusedError, match="waits until nobody needs"):
        queue.run_now(job, actor=BOB)
    (run_now,) = [act for act in acts.acts(job) if act.name == "run-now"]
    assert "give a reason" in run_now.reason
    with pytest.raises(InvalidError, match="2 still do") as refused:
        revocation.request(waiting, plan(waiting), actor=BOB)
    assert refused.value.field == "note"
    job.refresh_from_db()
    assert job.params["only_when_ready"]
    revocation.request(waiting, plan(waiting, note="the two are scrapped"), actor=BOB)
    run_jobs()
    waiting.refresh_from_db()
    assert waiting.state == RootState.REVOKED
    entry = Entry.objects.filter(action=Action.ROOT_REVOCATION_REQUESTED, outcome="requested").latest("seq")
    details = json.loads(entry.details)
    assert (details["did not wait for"], details["note"]) == (2, "the two are scrapped")


def test_moving_it_to_a_date_at_which_it_waits_for_nobody_needs_a_reason_too(waiting: Root) -> None:
    with pytest.raises(InvalidError, match="Say why"):
        revocation.request(waiting, plan(waiting, due_in=timedelta(days=1)), actor=BOB)
    revocation.request(waiting, plan(waiting, ready=True, due_in=timedelta(days=1)), actor=BOB)
    assert job_of(waiting).params["only_when_ready"]


def test_a_compromised_key_does_not_wait(make_root: MakeRoot, someone: Someone) -> None:  # KEY-36
    old, _ = make_root(), make_root()
    with pytest.raises(InvalidError, match="A compromised key does not wait"):
        revocation.request(old, plan(old, ready=True, due_in=timedelta(hours=1), reason="compromised"), actor=ALICE)
    revocation.request(old, plan(old, reason="compromised"), actor=ALICE)
    assert job_of(old).state == State.QUEUED
    assert someone.number
