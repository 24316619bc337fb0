"""The server's name: settled at the first start, because names of root keys are made of it."""

import os
import socket

from console.supervisor.state import State


def server_name(state: State) -> str:
    """Return KEYSTEAD_SERVER_NAME, else the name of the first start, else this machine's own, in lower case.

    Asking for the machine's name may ask the network, so it happens once.
    """
    named = os.environ.get("KEYSTEAD_SERVER_NAME") or state.recall("server").get("name")
    if not isinstance(named, str):
        named = machine_name()
        state.remember("server", {"name": named})
    return named.strip().rstrip(".").lower()


def machine_name() -> str:
    """Return this machine's full name; without a domain it gets one that is nobody's."""
    full, short = socket.getfqdn(), socket.gethostname()
    name = short if full.startswith("localhost") else full
    return (name if "." in name else f"{name}.localdomain").lower()
