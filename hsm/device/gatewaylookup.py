"""Host names to addresses, in time: getaddrinfo knows no deadline, so it runs in a thread that may be left behind."""

import queue
import socket
import threading
import time
from typing import Any

from hsm.device.codes import error_for

Address = tuple[socket.AddressFamily, Any]


def resolve(host: str, port: int, deadline: float) -> list[Address]:
    """Return the addresses of a host, in the order to try them. Raises DeviceError GATEWAY_NAME.

    `deadline` is a time of time.monotonic().
    """
    try:
        return _lookup(host, port, socket.AI_NUMERICHOST)
    except OSError:
        pass  # a name
    answer: queue.SimpleQueue[list[Address] | Exception] = queue.SimpleQueue()
    threading.Thread(target=_ask, args=(host, port, answer), name="lookup", daemon=True).start()
    try:
        found = answer.get(timeout=max(0.001, deadline - time.monotonic()))
    except queue.Empty:
        raise error_for("GATEWAY_NAME", detail="The name service did not answer in time.") from None
    if isinstance(found, Exception):
        raise error_for("GATEWAY_NAME") from found
    return found


def _ask(host: str, port: int, answer: "queue.SimpleQueue[list[Address] | Exception]") -> None:
    try:
        answer.put(_lookup(host, port, 0))
    except (OSError, UnicodeError) as error:
        answer.put(error)


def _lookup(host: str, port: int, flags: int) -> list[Address]:
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=flags)
    return [(family, address) for family, _type, _proto, _name, address in found]
