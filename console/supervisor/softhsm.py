"""A first HSM to try things on: a SoftHSM2 token of the local run, with a PIN nobody else knows."""

import os
import pty
import secrets
import shutil
import subprocess
from pathlib import Path

from console.supervisor.errors import SupervisorError
from console.supervisor.state import State, write_private

LABEL = "keystead-demo"
MODULES = (
    "/usr/lib/softhsm/libsofthsm2.so",
    "/usr/lib64/softhsm/libsofthsm2.so",
    "/usr/lib64/pkcs11/libsofthsm2.so",
    "/usr/local/lib/softhsm/libsofthsm2.so",
    "/opt/homebrew/lib/softhsm/libsofthsm2.so",
)


def module() -> str | None:
    """Return the path of the PKCS#11 module, or None where SoftHSM2 is not installed."""
    return next((path for path in MODULES if Path(path).is_file()), None)


def configuration(state: State) -> Path:
    """Return the file for SOFTHSM2_CONF; every process that may load the module gets it."""
    return state.softhsm / "softhsm2.conf"


def prepare(state: State) -> None:
    """Make the configuration and, once, the token. Does nothing where SoftHSM2 is not installed."""
    tool = shutil.which("softhsm2-util")
    if module() is None or tool is None:
        return
    tokens = state.softhsm / "tokens"
    if not tokens.exists():
        # Made aside and moved into place: a token whose making was cut short is never taken for a whole one.
        aside = state.softhsm / "tokens.new"
        shutil.rmtree(aside, ignore_errors=True)
        aside.mkdir(mode=0o700)
        configure(configuration(state), aside)
        pin = state.secret_once("softhsm-pin", lambda: f"{secrets.randbelow(10**8):08d}")
        so_pin = state.secret_once("softhsm-so-pin")
        make_token(tool, configuration(state), label=LABEL, pin=pin, so_pin=so_pin)
        aside.rename(tokens)
    configure(configuration(state), tokens)


def configure(conf: Path, tokens: Path) -> None:
    """Write a configuration that keeps the tokens in this folder."""
    write_private(conf, f"directories.tokendir = {tokens}\nobjectstore.backend = file\nlog.level = ERROR\n")


def make_token(tool: str, conf: Path, *, label: str, pin: str, so_pin: str) -> None:
    """Initialise a token in the next free slot. Raises SupervisorError with what the tool said.

    The PINs are typed at the tool's prompts, on a terminal made for it: its options would show them to every user
    of the machine.
    """
    keyboard, terminal = pty.openpty()
    try:
        os.write(keyboard, f"{so_pin}\n{so_pin}\n{pin}\n{pin}\n".encode())
        done = subprocess.run(
            [tool, "--init-token", "--free", "--label", label],
            stdin=terminal,
            capture_output=True,
            env={**os.environ, "SOFTHSM2_CONF": str(conf)},
            start_new_session=True,
            timeout=30,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise SupervisorError("softhsm2-util did not end; no SoftHSM2 token was made.") from error
    finally:
        os.close(terminal)
        os.close(keyboard)
    if done.returncode != 0:
        # What the tool prints holds prompts and stars, never a PIN: the terminal does not echo to it.
        said = done.stderr.decode("utf-8", "replace").strip()
        raise SupervisorError(f"No SoftHSM2 token was made: {said}")
