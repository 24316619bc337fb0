"""The reference client, to be driven step by step: no threads, at most one open connection, a small state.

agent = Agent(directory)
while True:
    sleep_until(agent.step())
"""

import random
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from trust.agent import beginning
from trust.agent.client import CLOCK_TOLERANCE_S, Client
from trust.agent.directory import Directory
from trust.agent.http import HttpTransport
from trust.agent.legacy import Legacy
from trust.agent.modern import Modern
from trust.agent.pkilog import PkiLog
from trust.agent.state import State
from trust.agent.timing import Jitter
from trust.agent.transport import Transport


def utc_now() -> datetime:
    """Return the moment, in UTC."""
    return datetime.now(UTC)


class Agent:
    """One client in its directory, where `beginning` put its state. Clock, network and chance can be replaced."""

    def __init__(
        self,
        directory: Path,
        *,
        clock: Callable[[], datetime] = utc_now,
        transport: Transport | None = None,
        jitter: Jitter = random.uniform,
    ) -> None:
        place = Directory(directory)
        state = place.load()
        beginning.tidy(place, state, clock)
        log = PkiLog(place.logs, clock)
        self._client = Client(place, state, log, clock, transport or HttpTransport(), jitter)
        self._last, self._protocol = clock(), self._fresh()

    @property
    def folder(self) -> Path:
        """Its directory."""
        return self._client.directory.folder

    @property
    def state(self) -> State:
        """What the client remembers: to be read, not to be changed."""
        return self._client.state

    @property
    def due(self) -> datetime:
        """When there is something to do."""
        return self._protocol.due()

    def step(self) -> datetime:
        """Do what is due now, and return when something is due next.

        Whatever the server or the network does is no exception: it is in the client's log, and the next try is later.
        """
        client, now = self._client, self._client.clock()
        if (self._last - now).total_seconds() > CLOCK_TOLERANCE_S:
            client.log.key("clock-set-back", client.state.name, "registers anew, and waits for nothing")
            client.state.wait_for_nothing(now)
            self._protocol = self._fresh()
        self._last = now
        if now >= self._protocol.due():
            self._protocol.work(now)
        return self._protocol.due()

    def _fresh(self) -> Modern | Legacy:
        return Modern(self._client) if self.state.protocol == 315 else Legacy(self._client)

    def close(self) -> None:
        """Let go of the connection that is kept for the next step, if any; that one opens another."""
        self._client.transport.close()
