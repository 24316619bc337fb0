"""Waiting for conditions instead of for time."""

import os
import time
from collections.abc import Callable


def alive(pid: int) -> bool:
    """Say whether there is such a process (a zombie counts)."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def wait_until(condition: Callable[[], bool], timeout_s: float = 120) -> None:
    """Wait until the condition holds; fail the test when it does not in a time that also a loaded machine keeps."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, "the condition did not come true"
        time.sleep(0.01)
