"""What every part of the client works with: its state, its disk, its log, its clock, and a way to its server."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from trust.agent.directory import Directory
from trust.agent.pkilog import PkiLog
from trust.agent.state import Identity, State
from trust.agent.timing import Jitter
from trust.agent.transport import Transport
from trust.wire import signatures
from trust.wire.errors import WireError

CLOCK_TOLERANCE_S = 60
MOST_AHEAD_S = 100 * 365 * 86_400  # a machine without a battery begins in 1970
COUNTERS_AHEAD = 100
MOST_FAILED = 100
"""Anybody between a client without TLS and its server may make up questions that fail."""


@dataclass
class Client:
    """`counter` is the last one used, `server_index` the server that is asked.

    `bridges` lead on from the roots that are held, as `trust.anchors` says; they go when these change.
    `turn`: which of the ways to a certificate is tried. `breaks`: how often in a row a connection broke after the
    certificate had been shown. `questions_failed`: the last ones that did not verify, of which the server is told once.
    """

    directory: Directory
    state: State
    log: PkiLog
    clock: Callable[[], datetime]
    transport: Transport
    jitter: Jitter
    counter: int = 0
    server_index: int = 0
    breaks: int = 0
    turn: int = 0
    bridges: tuple[bytes, ...] = ()
    questions_failed: deque[str] = field(default_factory=lambda: deque(maxlen=MOST_FAILED))

    def __post_init__(self) -> None:
        self.counter = self.state.counter

    def save(self) -> None:
        """Have the state on the disk."""
        self.directory.save(self.state)

    def setting(self, name: str) -> int:
        """Return a setting that is a number, as it counts now."""
        return self.directory.settings.number(name)

    def server_now(self) -> datetime:
        """Return the moment by the server's clock, as far as it is known: certificates are judged by that one."""
        return self.clock() - timedelta(seconds=self.state.clock_ahead_s)

    def learn_time(self, theirs: datetime) -> None:
        """Take the time of a server that proved who it is; raises WireError for one that leaves the calendar."""
        ahead_s = (self.clock() - theirs).total_seconds()
        if abs(ahead_s) > MOST_AHEAD_S:
            raise WireError("The server's clock and this machine's are a century apart.", code="bad-time")
        ahead_s = ahead_s if abs(ahead_s) > CLOCK_TOLERANCE_S else 0.0
        if abs(ahead_s - self.state.clock_ahead_s) > CLOCK_TOLERANCE_S:
            self.log.key("clock-differs", self.state.name, f"{ahead_s:+.0f} s ahead of the server")
            self.state.clock_ahead_s = ahead_s

    def next_counter(self) -> int:
        """Return a number above every one before, also after a crash: they are reserved on the disk in hundreds."""
        self.counter += 1
        if self.counter > self.state.counter:
            self.state.counter = self.counter + COUNTERS_AHEAD
        self.save()  # also what a full disk kept from being saved before
        return self.counter

    def counts(self, identity: Identity | None) -> bool:
        """Tell whether the certificate can be shown: not refused, its root not revoked, not expired."""
        if identity is None or identity.refused or identity.root in self.state.revoked:
            return False
        return self.server_now() < signatures.certificate_of(identity.certificate).not_valid_after_utc
