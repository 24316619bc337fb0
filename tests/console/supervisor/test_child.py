"""Processes are kept running, given up on, and ended with everything below them."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from console.supervisor import child as child_module
from console.supervisor import leftovers
from console.supervisor.child import Child, Plan, delay_s
from console.supervisor.errors import StopRequestedError, SupervisorError
from console.supervisor.signals import STOP, Signals
from console.supervisor.state import State
from console.supervisor.supervisor import Supervisor
from tests.fixtures.processes import wait_for

RUN = f"unit-{os.getpid()}"


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> State:
    monkeypatch.setenv("KEYSTEAD_STATE_DIR", str(tmp_path / "var"))
    return State.from_environment()


@pytest.fixture
def signals() -> Iterator[Signals]:
    former = {number: signal.getsignal(number) for number in (*STOP, signal.SIGCHLD)}
    with Signals() as opened:
        yield opened
    for number, handler in former.items():
        signal.signal(number, handler)


@pytest.fixture
def supervisor(state: State, signals: Signals) -> Iterator[Supervisor]:
    lock = state.take()
    made = Supervisor(state, signals, RUN, lock)
    yield made
    made.stop()
    os.close(lock)


def _shell(name: str, script: str) -> Plan:
    return Plan(name, ("/bin/sh", "-c", script), {"PATH": os.defpath}, stop_within_s=2)


def test_what_ends_is_started_again(supervisor: Supervisor, tmp_path: Path) -> None:
    starts = tmp_path / "starts"
    supervisor.start(_shell("web", f"echo >> {starts}; [ $(wc -l < {starts}) -ge 3 ] && exec sleep 60"))
    supervisor.wait_until(lambda: starts.exists() and len(starts.read_text()) == 3, "web", within_s=120)
    # The shell counts the lines in processes of their own before it becomes the one that stays.
    supervisor.wait_until(lambda: len(leftovers.marked(f"{RUN}/web")) == 1, "web", within_s=120)
    assert len(starts.read_text()) == 3


def test_the_end_of_one_leaves_another_whose_name_begins_the_same(state: State) -> None:
    state.logs.mkdir(parents=True, exist_ok=True)
    one, other = (Child(_shell(name, "exec sleep 60"), RUN, state.logs / name) for name in ("listener", "listener-tls"))
    other.start()
    one.start()
    one.stop()
    assert not one.is_running()
    assert other.is_running()
    other.stop()
    assert not leftovers.marked(f"{RUN}/")


def test_it_gives_up_on_what_does_not_stay(
    supervisor: Supervisor, state: State, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(child_module, "LONGEST_DELAY_S", 0.05)
    supervisor.start(_shell("web", "echo the reason; exit 3"))
    with pytest.raises(SupervisorError, match="more than 5 times") as caught:
        supervisor.watch()
    assert str(state.logs / "web.log") in str(caught.value)
    assert "with status 3" in str(caught.value)
    assert "the reason" in str(caught.value)


def test_what_is_not_vital_ends_nothing(
    supervisor: Supervisor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(child_module, "LONGEST_DELAY_S", 0.05)
    starts = tmp_path / "starts"
    supervisor.start(replace(_shell("gateway", f"echo >> {starts}; exit 3"), is_vital=False))
    often = child_module.GIVE_UP_AFTER + 3
    supervisor.wait_until(lambda: starts.exists() and len(starts.read_text()) >= often, "gateway", within_s=120)


def test_a_command_that_fails_stops_the_start(supervisor: Supervisor) -> None:
    supervisor.run_once(_shell("setup", "exit 0"))
    with pytest.raises(SupervisorError, match="database is locked"):
        supervisor.run_once(_shell("setup", "echo database is locked; exit 1"))


def test_what_does_not_answer_stops_the_start(supervisor: Supervisor) -> None:
    supervisor.start(_shell("web", "exec sleep 60"))
    with pytest.raises(SupervisorError, match="web did not answer"):
        supervisor.wait_until(lambda: False, "web", within_s=0.1)


def test_a_signal_ends_a_wait(supervisor: Supervisor) -> None:
    os.kill(os.getpid(), signal.SIGTERM)
    with pytest.raises(StopRequestedError):
        supervisor.wait_until(lambda: False, "web", within_s=120)


def test_stopping_takes_down_what_left_its_session_and_ignores_sigterm(supervisor: Supervisor) -> None:
    stubborn = "trap '' TERM; while :; do sleep 0.1; done"
    supervisor.start(_shell("worker", f'setsid sh -c "{stubborn}" & {stubborn}'))
    wait_for(lambda: len(leftovers.marked(f"{RUN}/worker")) >= 2)
    supervisor.stop()
    assert leftovers.marked(f"{RUN}/") == set()


def test_the_guard_ends_what_a_killed_supervisor_left() -> None:
    mark = f"guarded-{os.getpid()}"
    left = subprocess.Popen(["sleep", "60"], env={leftovers.MARK: f"{mark}/worker"})
    other = subprocess.Popen(["sleep", "60"], env={leftovers.MARK: f"{mark}-other/worker"})
    guard = subprocess.Popen([sys.executable, "-I", "-S", leftovers.__file__, mark], stdin=subprocess.PIPE)
    assert guard.stdin
    guard.stdin.close()
    assert left.wait(20) == -signal.SIGTERM
    assert guard.wait(20) == 0
    assert other.poll() is None
    other.kill()
    other.wait()


def test_the_wait_between_starts_grows_to_a_limit() -> None:
    delays = [delay_s(ends) for ends in range(1, 7)]
    assert delays == sorted(delays)
    assert delays[0] == child_module.FIRST_DELAY_S
    assert delays[-1] == child_module.LONGEST_DELAY_S
