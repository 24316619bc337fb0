"""./run: starts from nothing, answers, stops, and leaves nothing behind."""

import http.client
import json
import os
import pty
import signal
import socket
import ssl
import stat
import subprocess
import time
from pathlib import Path

import pytest

from console.supervisor.broker import answers
from console.supervisor.softhsm import LABEL
from hsm.device import gateway
from hsm.device.base import Pin
from hsm.device.gatewaycalls import GatewayAddress
from tests.bootstrap.conftest import PLAIN_ENVIRONMENT, Console
from tests.fixtures.processes import wait_for

pytestmark = [pytest.mark.slow]


def _gateway_health(console: Console) -> int:
    """Return the status of /health, 0 when nothing answers."""
    port = console.state.recall("ports")["gateway-health-http"]
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        connection.request("GET", "/health")
        return connection.getresponse().status
    except OSError:
        return 0
    finally:
        connection.close()


def _listener_says(console: Console) -> bytes:
    """Return the body of the listener's /health/live, nothing when it does not answer.

    What it proves of itself is looked at in tests/trust/listening; here it only has to be there.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    port = console.state.recall("ports")["listener"]
    connection = http.client.HTTPSConnection("localhost", port, context=context, timeout=60)
    try:
        connection.request("GET", "/health/live")
        return connection.getresponse().read()
    except OSError:
        return b""
    finally:
        connection.close()


def _is_gone(console: Console) -> bool:
    return not console.processes() and console.get() == 0


def test_it_starts_without_a_terminal_and_answers(started: Console) -> None:
    assert started.get("/health/live") == 200
    wait_for(lambda: started.get("/health/ready") == 200, what="/health/ready")
    assert answers(started.state, started.state.recall("ports")["broker"])


@pytest.mark.one_database
def test_the_demo_token_is_reached_through_the_gateway_with_what_is_written_down(started: Console) -> None:
    wait_for(lambda: _gateway_health(started) == 204, what="the gateway's health")
    found = json.loads((started.state.gateway / "connection.json").read_text())
    said = f"{found['address']} port {found['port']}, slot {found['slot']}; the CA of its certificate is"
    assert f"{said} {found['ca_file']}\n" in started.said
    assert "pin_file" in found
    address = GatewayAddress(
        found["address"], found["port"], int(found["slot"]), ca_pem=Path(found["ca_file"]).read_text()
    )
    report = gateway.test(address, Pin(Path(found["pin_file"]).read_text().strip()), "1")
    assert report.token.label == LABEL
    variables = Path(f"/proc/{started.main_process('gateway')}/environ").read_bytes().decode()
    assert not [name for name in ("DATABASE_URL", "KEYSTEAD_STATE_DIR", "SECRET_KEY") if name in variables]


@pytest.mark.one_database
def test_what_it_keeps_is_for_its_owner_only(started: Console) -> None:
    for path in started.state.root.rglob("*"):
        mode = stat.S_IMODE(path.lstat().st_mode)
        if path.is_dir():
            assert not mode & 0o077, path
    for path in (
        *started.state.secrets.iterdir(),
        *started.state.softhsm.iterdir(),
        *started.state.gateway.iterdir(),
        started.state.root / "keystead.db",
    ):
        if path.is_file() and path.name != "sealing.pub":
            assert stat.S_IMODE(path.stat().st_mode) == 0o600, path


@pytest.mark.one_database
def test_no_secret_is_in_a_command_line_or_in_what_it_prints(started: Console) -> None:
    secrets = [path.read_text().strip() for path in started.state.secrets.iterdir() if path.name != "sealing.pub"]
    assert len(secrets) >= 6
    lines = [Path(f"/proc/{pid}/cmdline").read_bytes().decode() for pid in started.processes()]
    logs = [path.read_text() for path in started.state.logs.glob("*.log")]
    for place in (*lines, *logs, started.said):
        assert not [secret for secret in secrets if secret in place]
    assert str(started.state.first_password) in started.said


@pytest.mark.one_database
def test_the_web_is_not_told_where_the_sealing_key_lies(started: Console) -> None:
    def told(name: str) -> str:
        variables = Path(f"/proc/{started.main_process(name)}/environ").read_bytes().decode().split("\0")
        return next((line for line in variables if line.startswith("KEYSTEAD_SEALING_KEY_FILE=")), "")

    assert told("web") == told("beat") == "KEYSTEAD_SEALING_KEY_FILE=/dev/null"
    assert told("worker") == ""


@pytest.mark.one_database
def test_clients_are_served_by_a_process_that_opens_one_file_only(started: Console) -> None:
    wait_for(lambda: _listener_says(started) == b"live\n", what="the listener")
    for name in ("listener", "listener-plain"):
        told = dict(
            line.split("=", 1)
            for line in Path(f"/proc/{started.main_process(name)}/environ").read_bytes().decode().split("\0")
            if "=" in line
        )
        assert told["KEYSTEAD_SEALING_KEY_FILE"] == told["KEYSTEAD_PKI_DB"] == os.devnull
        assert not {"SECRET_KEY", "SECRET_KEY_FILE", "BROKER_URL", "BROKER_URL_FILE"} & set(told)
        expected = str(started.state.secrets / "listener.key") if name == "listener" else os.devnull
        assert told["KEYSTEAD_LISTENER_KEY_FILE"] == expected
    ports = started.state.recall("ports")
    assert f"https://localhost:{ports['listener']}" in started.said
    # No flag allows registration without TLS, so nobody listens there.
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", ports["listener-plain"]), timeout=5)
    before = {name: started.processes(name) for name in ("listener", "listener-plain")}
    for name in before:
        os.kill(started.main_process(name), signal.SIGKILL)
    for name, pids in before.items():
        wait_for(lambda: pids.isdisjoint(now := started.processes(name)) and bool(now), what=f"another {name}")  # noqa: B023
    wait_for(lambda: _listener_says(started) == b"live\n", what="the listener")


@pytest.mark.one_database
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_stops_everything_in_order(started: Console, number: signal.Signals) -> None:
    assert started.signal(number) == 0
    assert _is_gone(started)
    assert not answers(started.state, started.state.recall("ports")["broker"])


@pytest.mark.one_database
def test_nothing_survives_a_supervisor_that_is_killed(started: Console) -> None:
    started.signal(signal.SIGKILL)
    wait_for(lambda: _is_gone(started), what="the end of every process")


@pytest.mark.one_database
def test_nothing_survives_when_supervisor_and_guard_are_killed_together(started: Console) -> None:
    run_id = started.run_id
    guards = [
        int(entry.name)
        for entry in Path("/proc").iterdir()
        if entry.name.isdecimal() and f"leftovers.py\0{run_id}" in _command_line(entry)
    ]
    assert len(guards) == 1
    os.kill(guards[0], signal.SIGKILL)
    started.signal(signal.SIGKILL)
    wait_for(lambda: _is_gone(started), what="the end of every process")


@pytest.mark.one_database
@pytest.mark.parametrize("name", ["broker", "web", "worker", "beat", "gateway"])
def test_a_process_that_is_killed_comes_back(started: Console, name: str) -> None:
    before = started.processes(name)
    killed = started.main_process(name)
    os.kill(killed, signal.SIGKILL)
    wait_for(lambda: before.isdisjoint(now := started.processes(name)) and bool(now), what=f"another {name}")
    wait_for(lambda: started.get("/health/ready") == 200, what="/health/ready")
    wait_for(lambda: _gateway_health(started) == 204, what="the gateway's health")
    assert f"{name} ended by signal 9" in started.said


@pytest.mark.one_database
def test_the_broker_comes_back_when_its_files_are_gone(started: Console) -> None:
    for path in (started.state.broker / "appendonlydir").iterdir():
        path.unlink()
    os.kill(started.main_process("broker"), signal.SIGKILL)
    port = started.state.recall("ports")["broker"]
    wait_for(lambda: answers(started.state, port), what="another broker")


@pytest.mark.one_database
def test_a_second_start_is_quick_and_keeps_what_was_there(started: Console) -> None:
    kept = {path: path.read_bytes() for path in started.state.secrets.iterdir()}
    tokens = sorted((started.state.softhsm / "tokens").iterdir())
    started.signal(signal.SIGTERM)
    began = time.monotonic()
    started.start()
    # About one second on an idle machine (./run bench measures it); this catches work that is done again.
    assert time.monotonic() - began < 30
    assert "Installing" not in started.said
    assert {path: path.read_bytes() for path in started.state.secrets.iterdir()} == kept
    assert sorted((started.state.softhsm / "tokens").iterdir()) == tokens


@pytest.mark.one_database
def test_a_second_run_beside_the_first_is_refused(started: Console) -> None:
    second = started.call()
    assert second.returncode == 1
    assert f"http://localhost:{started.port}" in second.stderr
    assert started.get() == 200


@pytest.mark.one_database
def test_a_terminal_is_shown_the_first_password(console: Console) -> None:
    screen, terminal = pty.openpty()
    process = subprocess.Popen(
        ["./run"],
        cwd=console.checkout,
        env={**PLAIN_ENVIRONMENT, **console.environment},
        stdin=terminal,
        stdout=terminal,
        stderr=terminal,
    )
    os.close(terminal)
    shown = b""
    try:
        while b"Ctrl-C stops everything" not in shown:
            shown += os.read(screen, 4096)
        assert console.state.first_password.read_bytes().strip() in shown
    finally:
        process.send_signal(signal.SIGINT)
        while process.poll() is None:
            _drain(screen)
        os.close(screen)
    assert process.returncode == 0


def test_an_administrative_command_works_on_the_same_state(started: Console) -> None:
    started.signal(signal.SIGTERM)
    done = started.call("manage", "setup")
    assert (done.returncode, done.stderr) == (0, "")


def _command_line(entry: Path) -> str:
    try:
        return (entry / "cmdline").read_bytes().decode("utf-8", "replace")
    except OSError:
        return ""


def _drain(screen: int) -> None:
    try:
        os.read(screen, 4096)
    except OSError:  # the last process has let go of the terminal
        time.sleep(0.01)
