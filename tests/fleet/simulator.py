"""Many reference clients in one process: real keys, real TLS to a real listener, and whatever can happen to clients.

fleet = Fleet(folder, init_file, connect=Address(listener.address, listener.port, 0))
members = fleet.begin("pc-001.example.com", "pc-002.example.com")
fleet.each(Member.contact)                      # a thread pool; Member.contact: until there is nothing left to say
members[0].line.offline = True                  # the cable is out
members[0].line.cut = ENROLMENT                 # what begins with this path arrives nowhere
members[0].line.losses = [None, Loss.ANSWER]    # what happens to the requests that follow: one each
members[0].line.losses = [Loss.POWER_AFTER]     # kill -9 once the server has the request
members[0].clock.skew = timedelta(days=1)       # the clock of the machine is wrong
members[0].revive()                             # a new process on the same directory

Time of clients runs ahead of the server's as their clocks are turned to what is due next; no test waits for it.
"""

import random
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import Enum
from pathlib import Path
from typing import TypeVar

from trust.agent import beginning
from trust.agent.agent import Agent
from trust.agent.directory import Directory
from trust.agent.errors import UnreachableError
from trust.agent.http import HttpTransport
from trust.agent.registering import PATH as REGISTRATIONS
from trust.agent.transport import Door, Reply, Request
from trust.wire.initfile import Address

T = TypeVar("T")
THREADS = 8
ENROLMENT = "/.well-known/est"
DEADLINE_S = 60.0


class Loss(Enum):
    """What happens to a request: it arrives nowhere, its answer is lost, or the client's machine loses its power."""

    REQUEST = "request"
    ANSWER = "answer"
    POWER_BEFORE = "power before"
    POWER_AFTER = "power after"


class PowerLostError(BaseException):
    """Nothing in the client may handle this: its machine is gone."""


@dataclass
class Clock:
    """The clock of one machine."""

    skew: timedelta = timedelta()

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.skew

    def turn_to(self, moment: datetime) -> None:
        """Let time pass until a moment that has not come yet."""
        self.skew += max(timedelta(), moment - self())


class Line:
    """The network between a client and its server. Implements `trust.agent.transport.Transport`."""

    def __init__(self) -> None:
        self.offline = False
        self.cut = ""
        self.losses: list[Loss | None] = []
        self.requests = 0
        self.registered = 0
        self._real = HttpTransport(DEADLINE_S)

    def send(self, door: Door, request: Request) -> Reply:
        """See `Transport`."""
        loss = self.losses.pop(0) if self.losses else None
        if loss is Loss.POWER_BEFORE:
            raise PowerLostError
        if self.offline or loss is Loss.REQUEST or (self.cut and request.path.startswith(self.cut)):
            raise UnreachableError("The line is cut.")
        self.requests += 1
        reply = self._real.send(door, request)
        if loss is Loss.POWER_AFTER:
            raise PowerLostError
        if loss is Loss.ANSWER:
            self.close()
            raise UnreachableError("The answer was lost.", connected=True)
        self.registered += request.path == REGISTRATIONS and reply.status == 200
        return reply

    def close(self) -> None:
        """See `Transport`."""
        self._real.close()


@dataclass
class Member:
    """One client: its directory, its machine's clock, its line, and the process that works there now."""

    folder: Path
    dice: random.Random
    clock: Clock = field(default_factory=Clock)
    line: Line = field(default_factory=Line)

    def __post_init__(self) -> None:
        self.revive()

    @property
    def name(self) -> str:
        """The name it has for the server."""
        return self.agent.state.name

    def revive(self) -> None:
        """Start a new process on what the directory holds."""
        self.agent = Agent(self.folder, clock=self.clock, transport=self.line, jitter=self.dice.uniform)

    def step(self) -> None:
        """Let time pass until something is due, and do it; a machine that loses its power starts again.

        What is due is rather the move below the newest root than one more registration that says nothing new.
        """
        state = self.agent.state
        self.clock.turn_to(self.agent.due)
        if state.move_at and not state.say_anew:
            self.clock.turn_to(state.move_at)
        try:
            self.agent.step()
        except PowerLostError:
            self.revive()
        finally:
            self.line.close()  # a thousand clients in one process would keep a thousand connections

    def until(self, condition: Callable[[], bool], most_steps: int = 30) -> bool:
        """Go on until the condition holds, and tell whether it does."""
        for _ in range(most_steps):
            if condition():
                return True
            self.step()
        return condition()

    def contact(self) -> bool:
        """Register, and once more if there is anything new to say; tell whether the server took it."""
        before = self.line.registered
        return self.until(lambda: self.line.registered > before and not self.agent.state.say_anew, 12)

    @property
    def root(self) -> str:
        """The fingerprint of the root above its certificate; empty without one."""
        identity = self.agent.state.identity
        return identity.root if identity else ""

    @property
    def log(self) -> str:
        """What stands in its own log."""
        return "\n".join(path.read_text() for path in sorted((self.folder / "Logs").glob("*.log")))


class Fleet:
    """Clients that began with one file. `seed` decides their chances."""

    def __init__(self, folder: Path, init_file: bytes, *, connect: Address, seed: int = 0) -> None:
        self.members: list[Member] = []
        self._folder, self._init_file, self._connect = folder, init_file, connect
        self._dice = random.Random(seed)  # noqa: S311 - chance, no secret

    def begin(self, *names: str, init_file: bytes | None = None, folder: str = "") -> list[Member]:
        """Begin with the file (or another one) under each name; nobody has said anything to a server yet."""
        made = []
        for name in names:
            place = self._folder / (folder or name)
            beginning.from_init(Directory(place), init_file or self._init_file, name=name, connect=self._connect)
            made.append(Member(place, random.Random(self._dice.random())))  # noqa: S311 - the same
        self.members += made
        return made

    def each(self, work: Callable[[Member], T], members: Iterable[Member] | None = None) -> list[T]:
        """Do the same work with several members, a few at a time; return the results in order."""
        with ThreadPoolExecutor(THREADS) as pool:
            return list(pool.map(work, self.members if members is None else members))

    @contextmanager
    def at_once(self, work: Callable[[Member], object], members: list[Member]) -> Iterator[None]:
        """Do the same work with all of these members from the same moment on, each in a thread of its own.

        The body of the `with` may disturb them; its end waits for theirs.
        """
        start = threading.Barrier(len(members))

        def begin_together(member: Member) -> None:
            start.wait(60)
            work(member)

        with ThreadPoolExecutor(len(members)) as pool:
            going = [pool.submit(begin_together, member) for member in members]
            yield
            for one in going:
                one.result()
