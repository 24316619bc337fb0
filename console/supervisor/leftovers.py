"""What a run leaves behind is found by a mark in the environment, and ended.

A process may change its group, its session and its parent, but not the environment it was started with. Every
process of a run carries `SUPERVISED_RUN=<run id>/<child>/` there, and so do its children, down to pool processes and
module hosts. Linux only: without /proc nothing is found.

Started as a program (the guard), it waits for the end of its standard input, which the supervisor holds open:
whatever way the supervisor ended, also by SIGKILL, nothing of its run survives it.
"""

import contextlib
import os
import signal
import sys
import time
from pathlib import Path

# Not KEYSTEAD_…: a module host is started without the variables of the console (hsm.device.process).
MARK = "SUPERVISED_RUN"
# Between the polite signal and the last one. A worker ends its jobs in it; what is cut off is settled by its row.
GRACE_S = 12.0


def marked(mark: str) -> set[int]:
    """Return the processes whose mark begins with this text, without this process and without zombies."""
    needle = f"{MARK}={mark}".encode()
    found = set()
    for entry in Path("/proc").iterdir() if Path("/proc").is_dir() else ():
        if entry.name.isdecimal() and int(entry.name) != os.getpid():
            # The process may end while it is looked at, or belong to somebody else.
            with contextlib.suppress(OSError):
                if any(line.startswith(needle) for line in (entry / "environ").read_bytes().split(b"\0")):
                    found.add(int(entry.name))
    return found


def send(pids: set[int], signal_number: signal.Signals) -> None:
    """Signal each process that still exists."""
    for pid in pids:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, signal_number)


def end(mark: str, grace_s: float = GRACE_S) -> int:
    """End every process with this mark: SIGTERM, after the grace SIGKILL; return how many there were."""
    first = found = marked(mark)
    send(found, signal.SIGTERM)
    until = time.monotonic() + grace_s
    while found := marked(mark):
        if time.monotonic() > until:
            # Again and again: a process may start another between the look and the signal.
            send(found, signal.SIGKILL)
        time.sleep(0.05)
    return len(first)


def guard(run_id: str) -> None:
    """Wait until the supervisor is gone, then end what it left."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    while sys.stdin.buffer.read(1):
        pass
    end(f"{run_id}/")


if __name__ == "__main__":
    guard(sys.argv[1])
