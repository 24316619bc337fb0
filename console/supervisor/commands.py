"""The processes of a local run as a table: what each is started as, and what it is told (docs/design.md §2)."""

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass

from console.supervisor import broker, softhsm
from console.supervisor.child import Plan
from console.supervisor.errors import SupervisorError
from console.supervisor.ports import loopback_addresses
from console.supervisor.state import State

# What works first, then what it stands on: the worker takes nothing new, and ends with the jobs that it has begun.
# Whatever is cut off then is settled by its row.
STOP_ORDER = (("web", "listener", "listener-plain", "beat", "worker"), ("gateway", "broker"))
# Read once by their reader and of no use to the others.
NOWHERE = os.devnull

TOLD_TO_CLIENTS = {"listener": "KEYSTEAD_LISTENER_PORT", "listener-plain": "KEYSTEAD_LISTENER_PLAIN_PORT"}


@dataclass(frozen=True)
class Run:
    """What the plans need to know."""

    state: State
    ports: Mapping[str, int]

    @property
    def address(self) -> str:
        """The console's address. WebAuthn refuses bare IP addresses, so it is the name."""
        return f"http://localhost:{self.ports['web']}"

    @property
    def has_own_broker(self) -> bool:
        """Whether the broker is ours to run, or named by the user."""
        return not (os.environ.get("BROKER_URL") or os.environ.get("BROKER_URL_FILE"))


def environment(run: Run) -> dict[str, str]:
    """Return the variables every Django process gets: this process's own, and what the state folder adds."""
    if os.environ.get("KEYSTEAD_BIND"):
        raise SupervisorError(
            "KEYSTEAD_BIND is for production: ./run serves the loopback address only. To serve others, use TLS and "
            "the units below deploy/. Nothing was started."
        )
    added = {
        "DJANGO_SETTINGS_MODULE": "console.settings",
        "KEYSTEAD_STATE_DIR": str(run.state.root),
        "KEYSTEAD_ORIGIN": run.address,
        "KEYSTEAD_PORT": str(run.ports["web"]),
        # What clients are told in their files. The ports of a start before there were listeners do not name them.
        **{name: str(run.ports[port]) for port, name in TOLD_TO_CLIENTS.items() if port in run.ports},
        "PYTHONUNBUFFERED": "1",
    }
    if not (os.environ.get("SECRET_KEY") or os.environ.get("SECRET_KEY_FILE")):
        run.state.secret_once("secret-key")
        added["SECRET_KEY_FILE"] = str(run.state.secrets / "secret-key")
    if run.has_own_broker:
        added["BROKER_URL_FILE"] = str(broker.url_file(run.state))
    return {**os.environ, **added}


def worker_environment(run: Run) -> dict[str, str]:
    """Return the variables of the one process that may open secrets and load modules."""
    variables = environment(run)
    if softhsm.configuration(run.state).exists():
        variables.setdefault("SOFTHSM2_CONF", str(softhsm.configuration(run.state)))
    return variables


def closed_environment(run: Run) -> dict[str, str]:
    """Return the variables of a process that must not open anything: it is not even told where the keys lie."""
    return {**environment(run), "KEYSTEAD_SEALING_KEY_FILE": NOWHERE, "KEYSTEAD_LISTENER_KEY_FILE": NOWHERE}


def listener_environment(run: Run, *, name: str) -> dict[str, str]:
    """Return the variables of a listener: its own pair at most, no pki.db, no broker, nothing that signs sessions."""
    variables = {
        **closed_environment(run),
        "DJANGO_SETTINGS_MODULE": "console.listener_settings",
        "KEYSTEAD_LISTENER_BIND": bind_address(run.ports[name]),
        "KEYSTEAD_PKI_DB": NOWHERE,
    }
    if name == "listener":
        variables["KEYSTEAD_LISTENER_KEY_FILE"] = str(run.state.secrets / "listener.key")
    for secret in ("SECRET_KEY", "BROKER_URL"):
        variables.pop(secret, None)
        variables.pop(f"{secret}_FILE", None)
    return variables


def bind_address(port: int) -> str:
    """Return the loopback addresses of this machine with a port, as gunicorn's configuration takes them."""
    return ",".join(
        f"[{address}]:{port}" if ":" in address else f"{address}:{port}" for address in loopback_addresses()
    )


def manage(*arguments: str) -> tuple[str, ...]:
    """Return the command line of a management command."""
    return (sys.executable, "manage.py", *arguments)


def broker_plan(run: Run) -> Plan:
    """Return the embedded broker; it writes its file to the end before it stops."""
    return Plan("broker", broker.prepare(run.state, run.ports["broker"]), {"PATH": os.defpath}, stop_within_s=10)


def web_plan(run: Run) -> Plan:
    """Return gunicorn; its addresses are in the configuration, which refuses any but loopback without TLS."""
    argv = (sys.executable, "-m", "gunicorn", "-c", "python:console.supervisor.gunicorn_conf", "console.wsgi")
    return Plan("web", argv, closed_environment(run), stop_within_s=8)


def worker_plan(run: Run, server_name: str) -> Plan:
    """Return the worker of this server's queue: prefork, so that a module's crash takes one task with it."""
    argv = (
        *(sys.executable, "-m", "celery", "-A", "console", "worker", "--loglevel", "INFO"),
        *("--pool", "prefork", "--concurrency", "2", "--without-gossip", "--without-mingle"),
        *("--queues", f"server.{server_name}", "--hostname", f"worker@{server_name}"),
    )
    # It seals for the listener, and opens nothing of it.
    variables = {**worker_environment(run), "KEYSTEAD_LISTENER_KEY_FILE": NOWHERE}
    return Plan("worker", argv, variables, stop_within_s=20)


def listener_plan(run: Run) -> Plan:
    """Return the clients' listener with TLS: EST and registration, loopback only here."""
    argv = (
        *(sys.executable, "-m", "gunicorn", "-c", "python:trust.listening.gunicorn_conf"),
        "console.listener_wsgi",
    )
    return Plan("listener", argv, listener_environment(run, name="listener"), stop_within_s=12)


def plain_listener_plan(run: Run) -> Plan:
    """Return what opens the port without TLS while a flag allows it."""
    argv = (sys.executable, "-m", "trust.listening.plain")
    return Plan("listener-plain", argv, listener_environment(run, name="listener-plain"), stop_within_s=15)


def beat_plan(run: Run) -> Plan:
    """Return beat, which knows names of tasks only."""
    argv = (
        *(sys.executable, "-m", "celery", "-A", "console", "beat", "--loglevel", "WARNING", "--pidfile="),
        *("--schedule", str(run.state.root / "beat-schedule")),
    )
    return Plan("beat", argv, closed_environment(run), stop_within_s=5)
