"""The module host as a process: what it inherits, that it ends with its parent, that forks leave it alone."""

import json
import os
import signal
import socket
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from hsm.device import opening
from hsm.device.base import Pin
from hsm.device.opening import list_tokens, open_token
from hsm.device.pool import MAX_SEATS, pool
from hsm.device.process import CODE_ROOT, HostGoneError, HostProcess, module_environment
from hsm.device.wire import ListTokens
from tests.hsm.device.tokens import SOFTHSM, TokenFarm
from tests.hsm.device.waiting import alive, wait_until
from tests.shim.faulty import FaultyModule

pytestmark = pytest.mark.usefixtures("fresh_hosts")

PARENT = """
import json, os, sys
from hsm.device.opening import list_tokens
from hsm.device.pool import pool
from hsm.device.process import HostProcess
from hsm.device import wire

environment = json.loads(sys.argv[2])
host = HostProcess(environment)
host.wait_ready()
print(host.pid, flush=True)
host.call(wire.Load(sys.argv[1]), 60)
print("loaded", flush=True)
host.call(wire.ListTokens(), 600)
print("answered", flush=True)
sys.stdin.read()
"""


def start_parent(module: str, environment: dict[str, str]) -> tuple[subprocess.Popen[str], int]:
    """Start a process that starts a host; return both."""
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, module, json.dumps(environment)],
        cwd=CODE_ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert parent.stdout is not None
    return parent, int(parent.stdout.readline())


def kill(parent: subprocess.Popen[str]) -> None:
    with parent:
        parent.kill()


def test_a_host_ends_when_its_parent_is_killed(farm: TokenFarm) -> None:
    parent, host_pid = start_parent(SOFTHSM, farm.environment)
    assert parent.stdout is not None
    assert [parent.stdout.readline(), parent.stdout.readline()] == ["loaded\n", "answered\n"]
    assert alive(host_pid)
    kill(parent)
    wait_until(lambda: not alive(host_pid))


@pytest.mark.parametrize("order", ["load before hang", "C_Initialize before hang", "C_GetSlotList before hang"])
def test_a_host_that_hangs_ends_when_its_parent_is_killed(farm: TokenFarm, module: FaultyModule, order: str) -> None:
    """While a library is loaded, the interpreter lock is held: no thread of the host could end it."""
    module.order(order)
    parent, host_pid = start_parent(str(module.path), {**farm.environment, **module.environment})
    wait_until(lambda: order.split(maxsplit=1)[0] in module.calls())
    kill(parent)
    wait_until(lambda: not alive(host_pid))


def test_a_host_that_finds_no_parent_ends_at_once() -> None:
    ours, theirs = socket.socketpair()
    read_end, write_end = os.pipe()
    os.close(write_end)
    with ours, theirs:
        command = [sys.executable, "-m", "hsm.device.host", str(theirs.fileno()), str(read_end)]
        done = subprocess.run(command, cwd=CODE_ROOT, pass_fds=(theirs.fileno(), read_end), check=False, timeout=300)
    os.close(read_end)
    assert done.returncode == 1


def test_a_forked_child_leaves_its_parents_hosts_alone(farm: TokenFarm) -> None:
    list_tokens(SOFTHSM, environment=farm.environment)
    (before,) = [seat.pid for seat in pool.seats()]
    child = os.fork()
    if child == 0:
        try:
            os._exit(0 if pool.seats() == [] and len(list_tokens(SOFTHSM, environment=farm.environment)) == 1 else 1)
        finally:
            os._exit(2)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert [(seat.pid, seat.running) for seat in pool.seats()] == [(before, True)]


def test_a_host_gets_no_secret_of_the_console() -> None:
    given = {
        "SOFTHSM2_CONF": "/x",
        "NFAST_HOME": "/opt/nfast",
        "PATH": "/bin",
        "DATABASE_URL": "postgres://u:p@h/d",
        "BROKER_URL": "redis://:p@h/0",
        "DJANGO_SETTINGS_MODULE": "console.settings",
        "KEYSTEAD_SEALING_KEY_FILE": "/x",
        "SECRET_KEY": "s",
        "PGPASSWORD": "p",
        "SOME_PASSWORD": "p",
        "PYTHONPATH": "/x",
    }
    assert module_environment(given).keys() == {"SOFTHSM2_CONF", "NFAST_HOME", "PATH"}


def test_no_pin_is_in_the_arguments_of_a_host(farm: TokenFarm) -> None:
    token = farm.make("alpha", "97531864")
    with open_token(SOFTHSM, label="alpha", pin=Pin(token.pin), pin_version="1", environment=farm.environment):
        (pid,) = [seat.pid for seat in pool.seats() if seat.key.label]
        arguments = Path(f"/proc/{pid}/cmdline").read_bytes()
        assert b"hsm.device.host" in arguments
        assert b"97531864" not in arguments


@pytest.mark.slow
def test_the_pool_keeps_a_bounded_number_of_hosts(farm: TokenFarm) -> None:
    tokens = [farm.make(f"t{number}") for number in range(MAX_SEATS + 1)]
    for token in tokens:
        with open_token(
            SOFTHSM,
            label=token.label,
            serial=token.serial,
            pin=Pin(token.pin),
            pin_version="1",
            environment=farm.environment,
        ):
            pass
    assert len(pool.seats()) == MAX_SEATS
    assert [seat.key.label for seat in pool.seats()] == [token.label for token in tokens[1:]]


def test_closing_ends_every_host(farm: TokenFarm) -> None:
    list_tokens(SOFTHSM, environment=farm.environment)
    (pid,) = [seat.pid for seat in pool.seats()]
    opening.close_all()
    assert pid is not None
    assert not alive(pid)


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_a_host_outlives_the_signals_that_stop_a_worker(farm: TokenFarm, name: str) -> None:
    """A worker that is stopped finishes its task first; Ctrl-C and systemd signal its hosts at the same moment."""
    list_tokens(SOFTHSM, environment=farm.environment)
    (seat,) = pool.seats()
    assert seat.pid is not None
    os.kill(seat.pid, signal.Signals[name])
    before = seat.pid
    list_tokens(SOFTHSM, environment=farm.environment)
    assert (seat.pid, seat.running) == (before, True)


def test_a_host_that_is_gone_is_said_to_be_gone(farm: TokenFarm) -> None:
    host = HostProcess(farm.environment)
    host.wait_ready()
    os.kill(host.pid, signal.SIGKILL)
    with pytest.raises(HostGoneError) as caught:
        host.call(ListTokens(), 5)
    assert caught.value.exit_code == -signal.SIGKILL
    host.kill()


def test_a_worker_stopped_in_the_usual_way_leaves_no_host(farm: TokenFarm) -> None:
    code = f"""
    from hsm.device.opening import list_tokens
    from hsm.device.pool import pool
    list_tokens({SOFTHSM!r})
    print(pool.seats()[0].pid)
    """
    command = [sys.executable, "-c", textwrap.dedent(code)]
    done = subprocess.run(command, cwd=CODE_ROOT, env=farm.environment, check=True, capture_output=True, text=True)
    assert not alive(int(done.stdout))
