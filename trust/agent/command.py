"""The command line of the client. Nothing secret is an argument: the credential comes in a file.

Exit status: 0 after SIGTERM, SIGINT, `--once` or a change of settings; 78 (EX_CONFIG) if the client cannot start; 74
(EX_IOERR) if its directory cannot be written, which may pass.
"""

import argparse
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from trust.agent import beginning, settings
from trust.agent.agent import Agent, utc_now
from trust.agent.directory import Directory
from trust.agent.errors import SetupError
from trust.agent.exchange import PLAIN_PORT, PORT
from trust.wire import initfile
from trust.wire.initfile import Address

EX_CONFIG = 78
EX_IOERR = 74
LONGEST_SLEEP_S = 30.0
"""Settings that an administrator changes meanwhile count soon, and a clock that was set back delays nobody for long."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit status."""
    try:
        asked = _parser().parse_args(arguments)
        directory = Directory(asked.dir)
        if asked.set or asked.unset:
            return _change(directory, asked)
        with directory.locked():
            _begin(directory, asked)
            _end_on_signals()
            agent = Agent(asked.dir)
            return _once(agent, directory) if asked.once else _run(agent)
    except SetupError as error:
        return _say(error.message, EX_CONFIG)
    except OSError as error:
        return _say(f"{error.filename or 'The disk'}: {error.strerror}.", EX_IOERR)


def _say(why: str, status: int) -> int:
    print(f"keystead-agent: {why}", file=sys.stderr)  # noqa: T201 - to whoever starts it
    return status


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="keystead-agent", description="The reference client of Keystead.")
    parser.add_argument("--dir", type=Path, required=True, help="the client's directory: its keys, settings and logs")
    parser.add_argument("--init", type=Path, help=f"the {initfile.FILE_NAME} of the server (protocol 315)")
    parser.add_argument("--protocol", type=int, choices=(314, 315), default=315)
    parser.add_argument("--public-key", type=Path, help=f"the {initfile.LEGACY_FILE_NAME} of the server (protocol 314)")
    parser.add_argument("--server", type=_address, metavar="NAME[:PORT[:PLAIN]]", help="the server (protocol 314)")
    parser.add_argument("--connect", type=_address, metavar="HOST[:PORT[:PLAIN]]", help="reach the servers here")
    parser.add_argument("--name", help="the name of this client; without, that of this machine")
    parser.add_argument("--once", action="store_true", help="do what is due now, then end")
    parser.add_argument("--set", action="append", metavar="NAME=VALUE", default=[], help="set a local setting")
    parser.add_argument("--unset", action="append", metavar="NAME", default=[], help="delete a local setting")
    return parser


def _address(text: str) -> Address:
    name, *ports = text.split(":")
    try:
        port, plain, *rest = (*map(int, ports), *(PORT, PLAIN_PORT)[len(ports) :])
    except ValueError as error:
        raise argparse.ArgumentTypeError("a name, and one or two ports") from error
    if rest or not name:
        raise argparse.ArgumentTypeError("a name, and one or two ports")
    return Address(name, port, plain)


def _change(directory: Directory, asked: argparse.Namespace) -> int:
    for name, value in map(settings.parse, asked.set):
        directory.settings.set_local(name, value)
    for name in asked.unset:
        directory.settings.set_local(name, None)
    return 0


def _begin(directory: Directory, asked: argparse.Namespace) -> None:
    name = asked.name or (socket.getfqdn() if directory.is_new else "")
    if asked.init and asked.protocol == 315:
        beginning.from_init(directory, _read(asked.init), name=name, connect=asked.connect)
    elif asked.public_key and asked.server and asked.protocol == 314:
        pem = _read(asked.public_key)
        beginning.from_public_key(directory, pem, name=name, server=asked.server, connect=asked.connect)
    elif asked.init or asked.public_key or directory.is_new:
        raise SetupError(
            "A client begins with --init, or with --protocol 314, --public-key and --server.", code="usage"
        )


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise SetupError(f"{path} cannot be read: {error.strerror}.", code="no-file") from error


def _once(agent: Agent, directory: Directory) -> int:
    due = agent.step()
    agent.close()
    print(f"{directory.logs} says what was done. The next is due at {due:%Y-%m-%d %H:%M:%S} UTC.")  # noqa: T201
    return 0


def _run(agent: Agent) -> NoReturn:
    while True:
        due = agent.step()
        time.sleep(min(max(0.05, (due - utc_now()).total_seconds()), LONGEST_SLEEP_S))


def _end_on_signals() -> None:
    """End the process with status 0 at SIGTERM and SIGINT, whatever it does or waits for, be it a name server.

    A thread takes them, so that no handler runs in the middle of anything. Nothing is left to be tidied up: what is on
    the disk is whole at every moment, as for kill -9 (`files`).
    """
    signals = {signal.SIGTERM, signal.SIGINT}
    signal.pthread_sigmask(signal.SIG_BLOCK, signals)

    def wait() -> NoReturn:
        signal.sigwait(signals)
        os._exit(0)

    threading.Thread(target=wait, daemon=True).start()
