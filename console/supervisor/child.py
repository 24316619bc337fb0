"""One process of the run: started in a session of its own, logged to a file, ended with all it started."""

import os
import shutil
import signal
import subprocess
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from console.supervisor import leftovers
from console.supervisor.state import PROJECT

GIVE_UP_AFTER = 5
WITHIN_S = 60.0
FIRST_DELAY_S = 0.1
LONGEST_DELAY_S = 8.0


@dataclass(frozen=True)
class Plan:
    """What to start, and how long it may take to end by itself after SIGTERM.

    The run ends when a vital one does not stay up; another is started again for ever.
    """

    name: str
    argv: tuple[str, ...]
    environment: Mapping[str, str]
    stop_within_s: float
    is_vital: bool = True


@dataclass
class Child:
    """A plan that runs, or that ran and will run again at `due`."""

    plan: Plan
    run_id: str
    log: Path
    process: subprocess.Popen[bytes] | None = None
    due: float = 0.0
    ends: deque[float] = field(default_factory=deque)
    is_asked: bool = False

    @property
    def mark(self) -> str:
        """The value in the environment of this child and of everything below it.

        It ends with a slash, so that that of `listener` does not begin that of `listener-plain`.
        """
        return f"{self.run_id}/{self.plan.name}/"

    def start(self) -> None:
        """Start the process. The kernel ends it when the supervisor dies (setpriv), whoever killed that."""
        self.is_asked = False
        setpriv = shutil.which("setpriv")
        prefix = (setpriv, "--pdeathsig", "TERM", "--") if setpriv else ()
        # A session of its own: Ctrl-C in the terminal reaches the supervisor alone, which stops them in order.
        with self.log.open("ab") as output:
            self.process = subprocess.Popen(
                [*prefix, *self.plan.argv],
                env={**self.plan.environment, leftovers.MARK: self.mark},
                cwd=PROJECT,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def is_running(self) -> bool:
        """Return whether the process is there; reaps it when it is not."""
        return self.process is not None and self.process.poll() is None

    def note_end(self) -> bool:
        """Take down what the ended process left and set the time of the next start; False means: give up."""
        self.process = None
        leftovers.end(self.mark, grace_s=2.0)
        now = time.monotonic()
        self.ends.append(now)
        while self.ends[0] < now - WITHIN_S:
            self.ends.popleft()
        self.due = now + delay_s(len(self.ends))
        return len(self.ends) <= GIVE_UP_AFTER

    def ask_to_end(self) -> None:
        """Ask the process to end, and go on: to some a second word means something else."""
        if self.process is not None and self.is_running() and not self.is_asked:
            self.process.terminate()
            self.is_asked = True

    def stop(self) -> None:
        """Ask the process to end, wait as long as its plan allows, then end it and everything below it."""
        self.ask_to_end()
        if self.process is not None and self.is_running():
            try:
                self.process.wait(self.plan.stop_within_s)
            except subprocess.TimeoutExpired:
                os.killpg(self.process.pid, signal.SIGKILL)
                self.process.wait()
        leftovers.end(self.mark, grace_s=1.0)
        self.process = None


def delay_s(ends: int) -> float:
    """Return how long to wait before the next start after so many ends within the last minute."""
    return float(min(FIRST_DELAY_S * 4 ** (ends - 1), LONGEST_DELAY_S))
