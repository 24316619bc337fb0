"""The listener without TLS: open while a flag allows it, for registration only (TLS-14 to TLS-17)."""

import http.client
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator

import pytest
from django.db import OperationalError

from console.servers.models import Server
from console.supervisor.signals import STOP
from tests.fixtures.flags import set_flag
from tests.fixtures.listener import Listener
from tests.fixtures.processes import wait_for
from trust.listening.flags import Flags
from trust.listening.plain import Watcher, watch


@pytest.mark.parametrize(
    ("enable_314", "require_314", "require_315", "allowed"),
    [
        (False, False, True, False),  # a fresh install: 314 is off, 315 needs TLS
        (False, True, True, False),
        (True, False, True, True),
        (True, True, True, False),
        (False, True, False, True),
        (True, True, False, True),
    ],
)
def test_when_the_port_is_open(*, enable_314: bool, require_314: bool, require_315: bool, allowed: bool) -> None:
    flags = Flags(enable_314=enable_314, require_tls_314=require_314, require_tls_315=require_315)
    assert flags.plain_allowed is allowed


def test_the_port_follows_the_flags_and_serves_registration_only(
    listener_keys: Server, listener_of: Callable[..., Listener]
) -> None:
    plain = listener_of(has_tls=False)
    plain.argv = (sys.executable, "-m", "trust.listening.plain")
    plain.launch()
    assert not plain.takes_connections()
    set_flag("require_client_tls_315_flag", 0)
    wait_for(plain.answers, what="the open port")

    def ask(method: str, path: str) -> int:
        connection = http.client.HTTPConnection(plain.address, plain.port, timeout=60)
        connection.request(method, path, body=b"{}" if method == "POST" else None)
        return connection.getresponse().status

    for path in ("/.well-known/est/cacerts", "/.well-known/est/simpleenroll", "/v1/nonce", "/v1/answers", "/"):
        assert ask("POST", path) == 404, path
    assert ask("GET", "/v1/legacy-root") == 403  # protocol 314 is not enabled
    assert ask("POST", "/v1/registrations") == 400
    set_flag("require_client_tls_315_flag", 1)
    wait_for(lambda: not plain.takes_connections(), what="the closed port")
    assert not plain.has_ended()
    assert plain.running
    plain.running.terminate()
    assert plain.running.wait(60) == 0
    assert not plain.takes_connections()


def test_the_watcher_starts_again_what_ended_and_changes_nothing_while_it_cannot_ask() -> None:
    said: list[bool | Exception] = []
    started: list[subprocess.Popen[bytes]] = []

    def is_allowed() -> bool:
        answer = said.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def start() -> "subprocess.Popen[bytes]":
        started.append(subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE))
        return started[-1]

    watcher = Watcher(is_allowed, start, pause_s=0)
    try:
        said += [False, True, True, OperationalError()]
        for _ in range(4):
            watcher.look()
        assert len(started) == 1
        assert started[0].poll() is None
        os.kill(started[0].pid, 9)
        started[0].wait()
        said.append(True)
        watcher.look()
        assert len(started) == 2
        said.append(False)
        watcher.look()
        assert started[1].poll() is not None
    finally:
        watcher.stop()


@pytest.fixture
def handlers() -> Iterator[None]:
    """Give back what this process does at signals."""
    found = {number: signal.getsignal(number) for number in (*STOP, signal.SIGCHLD)}
    yield
    for number, handler in found.items():
        signal.signal(number, handler)


@pytest.mark.usefixtures("handlers")
@pytest.mark.one_database
def test_a_signal_in_the_middle_of_a_start_leaves_nothing_behind() -> None:
    started: list[subprocess.Popen[bytes]] = []

    def start() -> "subprocess.Popen[bytes]":
        started.append(subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE))
        signal.raise_signal(signal.SIGTERM)
        return started[-1]

    watch(Watcher(lambda: True, start))
    assert [process.returncode for process in started] == [-signal.SIGTERM]
