"""`python -m console.supervisor`: start the console; `… manage COMMAND`: a command on its state."""

import http.client
import os
import secrets
import sys

from console.supervisor import broker, gateway, leftovers, naming, ports, preparation, softhsm
from console.supervisor.announcement import announce
from console.supervisor.child import Plan
from console.supervisor.commands import (
    Run,
    beat_plan,
    broker_plan,
    listener_plan,
    manage,
    plain_listener_plan,
    web_plan,
    worker_environment,
    worker_plan,
)
from console.supervisor.errors import StopRequestedError, SupervisorError
from console.supervisor.signals import Signals
from console.supervisor.state import State
from console.supervisor.supervisor import Supervisor


def main(arguments: list[str]) -> int:
    """Return the exit status. Everything this makes is for its owner only."""
    os.umask(0o077)
    try:
        if arguments[:1] == ["manage"]:
            return run_command(arguments[1:])
        return run_console()
    except SupervisorError as error:
        print(error, file=sys.stderr)
    except OSError as error:
        # The disk is full, or somebody removed the folder of a console that runs.
        print(f"The state folder cannot be used, so everything is stopped: {error}", file=sys.stderr)
    return 1


def run_command(arguments: list[str]) -> int:
    """Become a management command with the environment of this machine's worker."""
    state = State.from_environment()
    run = Run(state, ports.remembered(state) or ports.choose(state))
    if run.has_own_broker:
        broker.prepare(state, run.ports["broker"])
    variables = worker_environment(run) | {"KEYSTEAD_SERVER_NAME": naming.server_name(run.state)}
    argv = manage(*arguments)
    os.execve(argv[0], argv, variables)  # noqa: S606 - no shell is wanted


def run_console() -> int:
    """Start everything, keep it running, and stop it when a signal asks for it."""
    state = State.from_environment()
    lock = state.take()
    # A former run whose guard was killed too; usually there is nothing to find.
    if former := state.recall("last").get("run"):
        leftovers.end(f"{former}/")
    os.environ["KEYSTEAD_SERVER_NAME"] = name = naming.server_name(state)
    run = Run(state, ports.choose(state))
    run_id = secrets.token_hex(8)
    state.remember("last", {"pid": os.getpid(), "run": run_id, "address": run.address})
    with Signals() as signals:
        supervisor = Supervisor(state, signals, run_id, lock)
        try:
            start(supervisor, run, name)
            supervisor.watch()
        except StopRequestedError:
            return 0
        finally:
            supervisor.stop()
    return 0


def start(supervisor: Supervisor, run: Run, server_name: str) -> None:
    """Start each process when what it stands on answers."""
    softhsm.prepare(run.state)
    if run.has_own_broker:
        supervisor.start(broker_plan(run))
    for argv in preparation.steps(run):
        wait_for_broker(supervisor, run)
        supervisor.run_once(Plan("setup", argv, worker_environment(run), stop_within_s=10))
        preparation.note(run, argv)
    # The web alone first: on a small machine the first page is there before the worker has loaded.
    supervisor.start(web_plan(run))
    wait_for_broker(supervisor, run)
    supervisor.wait_until(lambda: is_live(run), "web", within_s=180)
    supervisor.start(worker_plan(run, server_name))
    supervisor.start(beat_plan(run))
    supervisor.start(listener_plan(run))
    supervisor.start(plain_listener_plan(run))
    if daemon := gateway.plan(run):
        if making := gateway.certificate_plan(run):
            supervisor.run_once(making)
        supervisor.start(daemon)
    announce(run)


def wait_for_broker(supervisor: Supervisor, run: Run) -> None:
    """Wait until the embedded broker, if it is that one, takes what is sent."""
    if run.has_own_broker:
        supervisor.wait_until(lambda: broker.answers(run.state, run.ports["broker"]), "broker", within_s=120)


def is_live(run: Run) -> bool:
    """Return whether the web process answers. Asked without a proxy, whatever the environment says."""
    connection = http.client.HTTPConnection("localhost", run.ports["web"], timeout=2)
    try:
        connection.request("GET", "/health/live")
        return connection.getresponse().status == http.HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
