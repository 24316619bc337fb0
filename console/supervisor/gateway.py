"""An HSM gateway beside the demo token, so that a group of HSMs can be tried at once (docs/gateway-protocol.md).

It has a certificate of a CA of its own, serves the demo token alone, and listens on the loopback address only. What an
administrator enters in the console stands in `connection.json`; the PIN is the token's.
"""

import json
import os
import re
import shutil
import subprocess
import sys

from console.supervisor import softhsm
from console.supervisor.child import Plan
from console.supervisor.commands import Run
from console.supervisor.state import State, write_private

ADDRESS = "127.0.0.1"
SLOT = re.compile(r"^Slot (\d+)$(?:\n[ ].*$)*", re.MULTILINE)
LABEL = re.compile(rf"^\s+Label:\s+{re.escape(softhsm.LABEL)}\s*$", re.MULTILINE)


def certificate_plan(run: Run) -> Plan | None:
    """Return the command that makes the certificate; None once it is there."""
    if (run.state.gateway / "cert.p12").exists():
        return None
    argv = (sys.executable, "-m", "console.supervisor.gatewaycertificate", str(run.state.gateway), ADDRESS)
    return Plan("gateway", argv, {"PATH": os.defpath}, stop_within_s=10)


def plan(run: Run) -> Plan | None:
    """Return the daemon, told nothing but what it needs, and write down where it is; None without a token."""
    slot = _slot(run.state)
    if slot is None:
        (run.state.gateway / "connection.json").unlink(missing_ok=True)
        return None
    found = {
        "address": ADDRESS,
        "port": run.ports["gateway"],
        "slot": slot,
        "ca_file": str(run.state.gateway / "ca.pem"),
        "pin_file": str(run.state.secrets / "softhsm-pin"),
    }
    write_private(run.state.gateway / "connection.json", json.dumps(found, indent=1) + "\n")
    variables = {
        "PATH": os.defpath,
        "PYTHONUNBUFFERED": "1",
        "SOFTHSM2_CONF": str(softhsm.configuration(run.state)),
        "PKCS11_LIB_PATH": str(softhsm.module()),
        "CERT_FILE": str(run.state.gateway / "cert.p12"),
        "HMG_STATE_DIR": str(run.state.gateway / "state"),
        "HMG_LISTEN_ADDRESS": ADDRESS,
        "HMG_SLOT": slot,
        "HMG_LISTEN_PORT": str(run.ports["gateway"]),
        "HMG_HEALTH_HTTPS_PORT": str(run.ports["gateway-health-https"]),
        "HMG_HEALTH_HTTP_PORT": str(run.ports["gateway-health-http"]),
    }
    return Plan("gateway", (sys.executable, "-m", "hsm.gateway"), variables, stop_within_s=10, is_vital=False)


def connection(state: State) -> dict[str, object]:
    """Return what `plan` wrote down; nothing where no gateway runs."""
    try:
        written = json.loads((state.gateway / "connection.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return written if isinstance(written, dict) else {}


def _slot(state: State) -> str | None:
    """Return the number of the demo token's slot, which SoftHSM2 derives from its serial number; None without one."""
    tool = shutil.which("softhsm2-util")
    if tool is None or softhsm.module() is None or not softhsm.configuration(state).exists():
        return None
    variables = {**os.environ, "SOFTHSM2_CONF": str(softhsm.configuration(state))}
    done = subprocess.run([tool, "--show-slots"], env=variables, capture_output=True, text=True, check=False)
    return next((block[1] for block in SLOT.finditer(done.stdout) if LABEL.search(block[0])), None)
