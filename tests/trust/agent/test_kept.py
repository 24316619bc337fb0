"""One connection from request to request: for whom it counts, how long, and what is sent again when it ended."""

import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.trust import authorities
from tests.trust.agent.test_http import ANSWER, ASK, LEAF, NAME, ROOT, door, files, server_context, serving
from tests.trust.authorities import TLS
from trust.agent.errors import UnreachableError
from trust.agent.http import HttpTransport
from trust.agent.transport import Tls

CLOSES = ""  # what the server says that closes the connection instead
Script = list[bytes | str]


class Counted:
    """Answers as `script` says, connection by connection and request by request; counts both."""

    def __init__(self, *script: Script) -> None:
        self.script, self.connections, self.requests = list(script), 0, 0

    def __call__(self, connection: socket.socket) -> None:
        self.connections += 1
        said = self.script.pop(0) if self.script else [ANSWER] * 10
        with connection, suppress(OSError):
            for answer in said:
                if not connection.recv(65_536):
                    return
                self.requests += 1
                if isinstance(answer, bytes):
                    connection.sendall(answer)


@contextmanager
def transport(**options: float) -> Iterator[HttpTransport]:
    made = HttpTransport(**options)
    yield made
    made.close()


def test_requests_through_one_door_share_a_connection(tmp_path: Path) -> None:
    counted = Counted()
    with serving(counted, server_context(LEAF, tmp_path)) as port, transport() as way:
        at = door(port, Tls((ROOT.der,)))
        assert [way.send(at, ASK).body for _ in range(5)] == [b"ok"] * 5
    assert (counted.connections, counted.requests) == (1, 5)


@pytest.mark.parametrize("change", ["roots", "certificate", "too old", "certificate ends"])
def test_a_connection_serves_nobody_else_and_not_for_ever(tmp_path: Path, change: str) -> None:
    ends = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=1)  # a clock that is wrong could say so
    leaf = authorities.below(ROOT, NAME, purposes=TLS, dns=NAME, until=ends) if change == "certificate ends" else LEAF
    counted = Counted()
    own = files(authorities.below(ROOT, "client", purposes=TLS), tmp_path)
    options = {"kept_s": 0.0} if change == "too old" else {}
    with serving(counted, server_context(leaf, tmp_path)) as port, transport(**options) as way:
        first = Tls((ROOT.der,))
        second = {"roots": Tls((ROOT.der, authorities.root("new").der)), "certificate": Tls((ROOT.der,), *own)}
        for tls in (first, second.get(change, first)):
            assert way.send(door(port, tls), ASK).body == b"ok"
    assert (counted.connections, counted.requests) == (2, 2)


@pytest.mark.parametrize(
    ("script", "requests"),
    [
        ([[ANSWER]], 2),  # closed after an answer: nothing was sent into it
        ([[ANSWER, CLOSES]], 3),  # closed while the request came: it may have been read, and comes again
    ],
)
def test_a_connection_that_the_server_closed_meanwhile_is_opened_again(script: list[Script], requests: int) -> None:
    counted = Counted(*script)
    with serving(counted) as port, transport() as way:
        assert [way.send(door(port, None), ASK).body for _ in range(2)] == [b"ok"] * 2
    assert (counted.connections, counted.requests) == (2, requests)


def silent(way: HttpTransport) -> None:
    """Leave the server no time to answer."""
    way._deadline_s = 0.2


@pytest.mark.parametrize(
    ("script", "before_the_last"),
    [
        ([[CLOSES]], None),  # a connection that was not kept: who knows why it broke
        ([[ANSWER, ANSWER[:-30]]], None),  # it began to answer
        ([[ANSWER, "silence", "silence"]], silent),  # it may be at work
    ],
)
def test_what_may_have_been_read_is_not_sent_again_at_once(
    script: list[Script], before_the_last: Callable[[HttpTransport], None] | None
) -> None:
    counted = Counted(*script)
    with serving(counted) as port, transport() as way:
        for _ in range(len(script[0]) > 1):
            way.send(door(port, None), ASK)
        if before_the_last:
            before_the_last(way)
        with pytest.raises(UnreachableError):
            way.send(door(port, None), ASK)
    assert counted.requests == len(script[0][:2])
    assert counted.connections == 1
