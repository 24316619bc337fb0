"""Loopback ports: chosen free once, then remembered, so that bookmarks and security keys stay valid."""

import os
import random
import socket
from collections.abc import Collection

from console.supervisor.errors import SupervisorError
from console.supervisor.state import State

# Those that the documents name; the first is KEYSTEAD_PORT when that is set. The broker has none.
FIRST_CHOICES = {
    "web": 8000,
    "gateway": 4442,
    "gateway-health-https": 4440,
    "gateway-health-http": 4441,
    "listener": 17472,
    "listener-plain": 17473,
}
# Outside the range that Linux hands out by itself, so that a remembered port stays free.
OTHERS = range(20_000, 30_000)
LOOPBACK = ("127.0.0.1", "::1")


def choose(state: State) -> dict[str, int]:
    """Return the ports of web, broker, gateway and listeners. KEYSTEAD_PORT decides the first when it is set.

    Raises SupervisorError when the named port is taken.
    """
    former = remembered(state)
    wanted = os.environ.get("KEYSTEAD_PORT")
    ports = {"web": _named(wanted)} if wanted else {}
    for name in ("web", "broker", *FIRST_CHOICES):
        if name not in ports:
            ports[name] = _first_free(former.get(name), FIRST_CHOICES.get(name), but=ports.values())
    if ports != former:
        state.remember("ports", ports)
    return ports


def remembered(state: State) -> dict[str, int]:
    """Return the ports of the last start, which may be in use by the console itself; nothing before the first."""
    return {name: port for name, port in state.recall("ports").items() if isinstance(port, int)}


def loopback_addresses() -> tuple[str, ...]:
    """Return the loopback addresses this machine has: `localhost` may mean either of them to a browser."""
    return tuple(address for address in LOOPBACK if _bind(address, 0) is None)


def is_free(port: int) -> bool:
    """Return whether the port can be bound on every loopback address."""
    return all(_bind(address, port) is None for address in loopback_addresses())


def _named(wanted: str) -> int:
    if not wanted.isdecimal() or not 0 < int(wanted) < 65_536:
        raise SupervisorError("KEYSTEAD_PORT must be a number from 1 to 65535. Nothing was started.")
    if not is_free(int(wanted)):
        raise SupervisorError(
            f"Port {wanted} is taken by another program. Nothing was started. "
            "Stop that program, or set KEYSTEAD_PORT to another number."
        )
    return int(wanted)


def _first_free(*candidates: object, but: Collection[int]) -> int:
    for candidate in candidates:
        if isinstance(candidate, int) and candidate not in but and is_free(candidate):
            return candidate
    for candidate in random.sample(OTHERS, 200):
        if candidate not in but and is_free(candidate):
            return candidate
    raise SupervisorError("No free port was found on the loopback address. Nothing was started.")


def _bind(address: str, port: int) -> OSError | None:
    """Return why the address cannot be bound; a port in TIME_WAIT can."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((address, port))
    except OSError as error:
        return error
    return None
