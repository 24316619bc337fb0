"""The worker's side of one module host: start it, ask it under a deadline, end it."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from hsm.device import wire

START_S = 30.0  # for the interpreter alone, on a loaded machine; the module's own time is the caller's deadline
CODE_ROOT = Path(__file__).parents[2]
# A vendor's module needs its own variables, whatever they are called; it does not need the console's secrets.
DENIED_PREFIXES = ("KEYSTEAD_", "DJANGO_", "CELERY_", "DATABASE_", "BROKER_", "PG", "REDIS", "VALKEY", "PYTHON")
DENIED_WORDS = ("SECRET", "PASSWORD", "PASSWD", "PASSPHRASE")


class HostGoneError(Exception):
    """The host ended in the middle of a call; `exit_code` is negative for a signal."""

    def __init__(self, exit_code: int | None) -> None:
        super().__init__(exit_code)
        self.exit_code = exit_code


class HostLateError(Exception):
    """The host did not answer in time and was ended."""


def module_environment(environment: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the variables that a module host gets: all but those that are the console's own."""
    given = os.environ if environment is None else environment
    return {
        name: value
        for name, value in given.items()
        if not name.startswith(DENIED_PREFIXES) and not any(word in name.upper() for word in DENIED_WORDS)
    }


class HostProcess:
    """A fresh process with at most one call in flight; not for several threads at once."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        ours, theirs = socket.socketpair()
        lifeline, self._lifeline = os.pipe()
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-s", "-E", "-m", "hsm.device.host", str(theirs.fileno()), str(lifeline)],
                env=dict(environment),
                cwd=CODE_ROOT,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,  # what a module prints there would mix with the worker's own output
                pass_fds=(theirs.fileno(), lifeline),
            )
        except OSError:
            ours.close()
            os.close(self._lifeline)
            raise
        finally:
            theirs.close()
            os.close(lifeline)
        self._channel = wire.Channel(ours)
        self._ready = False

    @property
    def pid(self) -> int:
        """The process id of the host."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Say whether the process still runs."""
        return self._process.poll() is None

    def wait_ready(self) -> None:
        """Wait until the host listens. Raises HostGoneError or HostLateError."""
        if not self._ready:
            self._receive(time.monotonic() + START_S)
            self._ready = True

    def call(self, request: wire.Request, deadline_s: float) -> wire.Reply:
        """Ask, and return the reply (wire.Failed included). Ends the host unless it answers in time."""
        self.wait_ready()
        deadline = time.monotonic() + deadline_s
        try:
            self._channel.send(request, deadline=deadline)
        except EOFError:
            raise HostGoneError(self._ended()) from None
        except TimeoutError:
            self.kill()
            raise HostLateError from None
        return self._receive(deadline)

    def more(self, deadline_s: float) -> wire.Reply:
        """Return the next part of a listing."""
        return self._receive(time.monotonic() + deadline_s)

    def kill(self) -> None:
        """End the host with SIGKILL and wait for it; harmless when it is gone."""
        with suppress(ProcessLookupError):
            self._process.kill()
        self._process.wait()
        self.abandon()

    def abandon(self) -> None:
        """Close our ends only: for a forked child, whose parent owns the host."""
        self._channel.close()
        if self._lifeline >= 0:
            os.close(self._lifeline)
            self._lifeline = -1

    def _receive(self, deadline: float) -> wire.Reply:
        try:
            return self._channel.receive_reply(deadline)
        except EOFError:
            raise HostGoneError(self._ended()) from None
        except TimeoutError:
            self.kill()
            raise HostLateError from None
        except (wire.ProtocolError, OSError):
            self.kill()
            raise HostGoneError(None) from None

    def _ended(self) -> int | None:
        try:
            code: int | None = self._process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            code = None
        self.kill()
        return code


def describe_exit(exit_code: int | None) -> str:
    """Return how a host ended, in words."""
    if exit_code is None:
        return ""
    if exit_code < 0:
        with suppress(ValueError):
            return f"It ended by signal {signal.Signals(-exit_code).name}."
    return f"It ended with status {exit_code}."
