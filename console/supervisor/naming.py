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
        named = socket.getfqdn()
        named = named if "." in named else f"{named}.localdomain"
        state.remember("server", {"name": named.lower()})
    return named.strip().rstrip(".").lower()
