"""A module that hangs, crashes or lies while a key is made: no orphan, no second key, no job for ever running."""

import uuid
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from console.activity.models import Entry
from console.jobs.models import OPEN, Job, State
from console.lib import clock
from console.servers.models import Server
from hsm.device import opening
from keys import reconciler, roots
from keys.actions import Action
from keys.jobs import CREATE_ROOT, LEASE_S
from keys.models.root import Root, RootState
from tests.keys.conftest import ALICE
from tests.shim import faulty
from tests.shim.faulty import FaultyModule

# Tokens fail here; what a database decides of creations and revocations is asked where they succeed.
pytestmark = [pytest.mark.django_db, pytest.mark.one_database]

RunJobs = Callable[..., list[Job]]


@pytest.fixture(scope="session")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Compile the shim."""
    return faulty.build(faulty.SOURCE, tmp_path_factory.mktemp("shim") / "libfaulty.so")


@pytest.fixture
def module(library: Path, tmp_path: Path, softhsm: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[FaultyModule]:
    """Put SoftHSM2 inside the shim, with a deadline that a test can wait for."""
    folder = tmp_path / "shim"
    folder.mkdir()
    made = FaultyModule(library, folder, softhsm.module)
    for name, value in made.environment.items():
        monkeypatch.setenv(name, value)
    real = opening.open_token
    monkeypatch.setattr(opening, "open_token", lambda path, **given: real(path, **{**given, "deadline_s": 4}))
    opening.close_all()
    yield made
    made.behave()
    opening.close_all()


@pytest.fixture
def token(module: FaultyModule, softhsm: Any, use_token: Callable[..., None]) -> Any:
    """Make a token that the settings reach through the shim."""
    made = softhsm.token("root-token")
    use_token(replace(made, module=str(module.path)), "Root")
    return made


def request() -> tuple[Root, Job]:
    return roots.request(actor=ALICE, form_token=uuid.uuid4())


def private_keys(softhsm: Any, token: Any) -> int:
    count: int = softhsm.objects(token).count("Private Key Object")
    return count


@pytest.mark.parametrize("order", ["hang", "crash"])
def test_unknown_until_looked_for_then_finished(
    order: str, token: Any, module: FaultyModule, softhsm: Any, run_jobs: RunJobs, move_clock: Callable[..., None]
) -> None:
    """The key was really made: the reconciler finds it and finishes the root."""
    root, job = request()
    module.order(f"C_GenerateKeyPair after {order} once")
    run_jobs()
    root.refresh_from_db()
    job.refresh_from_db()
    assert (root.state, job.state) == (RootState.UNKNOWN, State.SCHEDULED), job.message
    assert (job.due_at - clock.now()).total_seconds() > LEASE_S - 10  # not before no call can be running any more
    assert Entry.objects.get(action=Action.ROOT_CREATED).outcome == "unknown"
    move_clock(minutes=10)
    run_jobs(due=True)
    root.refresh_from_db()
    job.refresh_from_db()
    assert (root.state, job.state) == (RootState.ACTIVE, State.SUCCEEDED), job.message
    assert private_keys(softhsm, token) == 1
    assert job.attempts == 2


@pytest.mark.parametrize("order", ["hang", "crash"])
def test_unknown_until_looked_for_then_cleaned_up(
    order: str, token: Any, module: FaultyModule, softhsm: Any, run_jobs: RunJobs, move_clock: Callable[..., None]
) -> None:
    """The key was not made: the root fails, and the way is free for another."""
    root, job = request()
    module.order(f"C_GenerateKeyPair before {order} once")
    run_jobs()
    root.refresh_from_db()
    assert root.state == RootState.UNKNOWN
    move_clock(minutes=10)
    run_jobs(due=True)
    root.refresh_from_db()
    job.refresh_from_db()
    assert (root.state, job.state) == (RootState.FAILED, State.FAILED)
    assert "Nothing is left of it" in job.message
    assert private_keys(softhsm, token) == 0
    again, _ = request()
    run_jobs()
    again.refresh_from_db()
    assert again.state == RootState.ACTIVE
    assert private_keys(softhsm, token) == 1


def test_an_unknown_root_does_not_stand_in_the_way_of_the_next(
    token: Any, module: FaultyModule, softhsm: Any, run_jobs: RunJobs, move_clock: Callable[..., None]
) -> None:
    """Found after a later root was made, it is cleaned up: nobody expects it any more."""
    lost, _ = request()
    module.order("C_GenerateKeyPair after crash once")
    run_jobs()
    later, _ = request()
    run_jobs()
    later.refresh_from_db()
    assert later.state == RootState.ACTIVE
    assert private_keys(softhsm, token) == 2
    move_clock(minutes=10)
    run_jobs(due=True)
    lost.refresh_from_db()
    assert (lost.state, private_keys(softhsm, token)) == (RootState.FAILED, 1)
    assert "later root" in lost.problem


@pytest.mark.parametrize("code", ["0x5", "0x30", "0x31", "0x6", "0x150"])
def test_an_error_after_the_key_was_made_leaves_no_orphan(
    code: str, token: Any, module: FaultyModule, softhsm: Any, run_jobs: RunJobs, move_clock: Callable[..., None]
) -> None:
    root, job = request()
    module.order(f"C_GenerateKeyPair after return {code} once")
    run_jobs()
    move_clock(minutes=10)
    run_jobs(due=True)
    root.refresh_from_db()
    job.refresh_from_db()
    assert root.state in {RootState.FAILED, RootState.ACTIVE}
    assert private_keys(softhsm, token) == (root.state == RootState.ACTIVE)
    assert job.state not in OPEN
    assert job.message


@pytest.mark.parametrize("order", ["C_Sign before return 0x30", "C_Sign before crash", "C_Sign before hang"])
def test_a_root_that_cannot_sign_itself_is_tried_again_and_finished(
    order: str, token: Any, module: FaultyModule, softhsm: Any, run_jobs: RunJobs, move_clock: Callable[..., None]
) -> None:
    root, job = request()
    module.order(order)
    run_jobs()
    root.refresh_from_db()
    assert root.state == RootState.UNKNOWN, root.problem
    module.behave()
    move_clock(minutes=30)
    run_jobs(due=True)
    root.refresh_from_db()
    job.refresh_from_db()
    assert (root.state, private_keys(softhsm, token)) == (RootState.ACTIVE, 1), (root.problem, job.message)


def test_a_key_that_a_slow_token_made_late_is_destroyed(
    token: Any, module: FaultyModule, softhsm: Any, run_jobs: RunJobs, move_clock: Callable[..., None], server: Server
) -> None:
    from hsm.device.base import KeySpec
    from keys import stores

    root, _ = request()
    module.order("C_GenerateKeyPair before crash once")
    run_jobs()
    move_clock(minutes=10)
    run_jobs(due=True)
    root.refresh_from_db()
    assert root.look_after is not None
    with stores.open_device(root) as device:
        device.generate_key_pair(root.cka_id, KeySpec.EC_P384, root.name)
    assert reconciler.reconcile(server) == "Nothing is unsettled."  # its second look is not due yet
    move_clock(minutes=40)
    assert "1 late keys cleaned up" in reconciler.reconcile(server)
    assert private_keys(softhsm, token) == 0
    assert Entry.objects.filter(action=Action.LATE_KEY_DESTROYED).count() == 1
    assert reconciler.reconcile(server) == "Nothing is unsettled."


def test_a_root_whose_job_is_gone_is_resumed(
    token: Any, module: FaultyModule, softhsm: Any, run_jobs: RunJobs, move_clock: Callable[..., None], server: Server
) -> None:
    root, job = request()
    module.order("C_GenerateKeyPair after crash once")
    run_jobs()
    Job.objects.filter(pk=job.pk).update(state=State.FAILED, finished_at=clock.now())
    assert reconciler.reconcile(server) == "Nothing is unsettled."  # not while a call of it could be running
    move_clock(minutes=10)
    assert reconciler.reconcile(server).startswith("1 creations resumed")
    assert reconciler.reconcile(server) == "Nothing is unsettled."
    assert Job.objects.filter(kind_name=CREATE_ROOT.name, state=State.QUEUED).count() == 1
    run_jobs()
    root.refresh_from_db()
    assert (root.state, private_keys(softhsm, token)) == (RootState.ACTIVE, 1)


def test_a_token_that_was_emptied_meanwhile_fails_clearly(
    token: Any, module: FaultyModule, softhsm: Any, run_jobs: RunJobs, move_clock: Callable[..., None]
) -> None:
    """Re-initialised between two steps: the binding's token is another one now, and nothing is made on it."""
    root, job = request()
    module.order("C_GenerateKeyPair after crash once")
    run_jobs()
    softhsm.remove(token)
    move_clock(minutes=10)
    run_jobs(due=True)
    root.refresh_from_db()
    job.refresh_from_db()
    assert (root.state, job.state) == (RootState.UNKNOWN, State.SCHEDULED)
    assert "not known yet" in job.message
    assert job.attempts == 2
    move_clock(days=31)
    run_jobs(due=True)
    root.refresh_from_db()
    job.refresh_from_db()
    assert (root.state, job.state) == (RootState.FAILED, State.FAILED)
    assert root.cka_id.hex() in job.next_step
