"""Starts the processes in order, keeps them running, and stops them in order."""

import subprocess
import sys
import time
from collections.abc import Callable

from console.supervisor import leftovers, logs
from console.supervisor.child import GIVE_UP_AFTER, WITHIN_S, Child, Plan
from console.supervisor.commands import STOP_ORDER
from console.supervisor.errors import StopRequestedError, SupervisorError
from console.supervisor.signals import Signals
from console.supervisor.state import State

STEP_S = 0.05
# How often sizes of logs are looked at, and that the guard is still there.
ROUND_S = 5.0


class Supervisor:
    """The children of one run. Not for use from two threads: the kernel ties a child to the thread that starts it."""

    def __init__(self, state: State, signals: Signals, run_id: str, lock: int) -> None:
        self._state = state
        self._signals = signals
        self._run_id = run_id
        self._lock = lock
        self._children: list[Child] = []
        self._guard: subprocess.Popen[bytes] | None = None

    def start(self, plan: Plan) -> None:
        """Start one process, and keep it running from now on."""
        self._watch_over()
        child = Child(plan, self._run_id, self._state.logs / f"{plan.name}.log")
        self._children.append(child)
        child.start()

    def run_once(self, plan: Plan) -> None:
        """Run a command to its end. Raises SupervisorError with its last lines when it fails."""
        self._watch_over()
        child = Child(plan, self._run_id, self._state.logs / f"{plan.name}.log")
        child.start()
        try:
            while child.is_running():
                self._pause(STEP_S)
            status = child.process.returncode if child.process else 1
        finally:
            child.stop()
        if status != 0:
            raise SupervisorError(
                f"“{' '.join(plan.argv[1:])}” failed, so the console was not started. {logs.pointer(child.log)}"
            )

    def wait_until(self, ready: Callable[[], bool], name: str, within_s: float) -> None:
        """Wait for a condition. Raises SupervisorError when a child gives up first, or when time is up."""
        until = time.monotonic() + within_s
        while not ready():
            if time.monotonic() > until:
                log = self._state.logs / f"{name}.log"
                raise SupervisorError(f"{name} did not answer within {within_s:.0f} seconds. {logs.pointer(log)}")
            self._pause(STEP_S)
            self._tend()

    def watch(self) -> None:
        """Keep every child running until a signal asks for the end; raises StopRequestedError then."""
        next_round = 0.0
        while True:
            self._tend()
            if time.monotonic() >= next_round:
                self._watch_over()
                logs.rotate(self._state.logs)
                next_round = time.monotonic() + ROUND_S
            self._pause(min([1.0, *self._delays()]))

    def stop(self) -> None:
        """Stop every child in order, then let the guard make sure that nothing is left."""
        for names in STOP_ORDER:
            together = [child for child in self._children if child.plan.name in names]
            for child in together:
                child.ask_to_end()
            for child in together:
                child.stop()
        if self._guard is not None and self._guard.stdin is not None:
            self._guard.stdin.close()
            self._guard.wait()

    def _pause(self, seconds: float) -> None:
        self._signals.pause(seconds)
        if self._signals.stop_requested:
            raise StopRequestedError

    def _delays(self) -> list[float]:
        now = time.monotonic()
        return [max(0.0, child.due - now) for child in self._children if child.process is None]

    def _tend(self) -> None:
        for child in self._children:
            if child.process is not None and not child.is_running():
                self._ended(child)
            elif child.process is None and time.monotonic() >= child.due:
                child.start()

    def _ended(self, child: Child) -> None:
        status = child.process.returncode if child.process else 0
        reason = f"by signal {-status}" if status < 0 else f"with status {status}"
        if not child.note_end():
            if not child.plan.is_vital:
                return  # said often enough
            raise SupervisorError(
                f"{child.plan.name} ended more than {GIVE_UP_AFTER} times in {WITHIN_S:.0f} seconds, the last time "
                f"{reason}. Everything is stopped. {logs.pointer(child.log)}"
            )
        print(f"{child.plan.name} ended {reason}; it is started again. Its log is {child.log}", file=sys.stderr)

    def _watch_over(self) -> None:
        """Have a guard: it ends what is left when this process is gone without having stopped its children."""
        if self._guard is None or self._guard.poll() is not None:
            self._guard = subprocess.Popen(
                [sys.executable, "-I", "-S", leftovers.__file__, self._run_id],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
                pass_fds=(self._lock,),
            )
