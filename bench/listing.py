"""Reading every object of a token, beside pkcs11-tool on the same token.

    python -m bench.listing [PAIRS]

`measure` fills a token with 2,000 EC key pairs; 10,000 take a minute more to make.
"""

import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from bench.module_host import PIN, SOFTHSM, softhsm
from hsm.device.base import Pin
from hsm.device.opening import close_all, find_token, keep_token, open_token
from hsm.device.pool import pool

PAIRS = 2000
LIMITS = {"share_of_pkcs11_tool": 0.5, "worker_growth_mb": 200, "host_mb": 200}
FILL = """
import os, sys
from pathlib import Path
from pkcs11 import Attribute as A, Mechanism
from hsm.device.p11calls import Calls
from hsm.device.p11make import EC_PARAMS, KeySpec
from hsm.device.pkcs11 import Module

path, serial, pin, pairs = sys.argv[1:]
module = Module(str(Path(path).resolve()))
module.login("bench", serial, pin.encode())
calls = Calls(module.path)
session = calls.open_session(module.slot_id)
for number in range(int(pairs)):
    names = {A.TOKEN: True, A.ID: os.urandom(16), A.LABEL: f"key {number}"}
    public = {**names, A.EC_PARAMS: EC_PARAMS[KeySpec.EC_P256], A.VERIFY: True}
    private = {**names, A.PRIVATE: True, A.SENSITIVE: True, A.EXTRACTABLE: False, A.SIGN: True}
    calls.generate_pair(session, Mechanism.EC_KEY_PAIR_GEN, public, private)
"""


def measure(pairs: int = PAIRS) -> dict[str, float | int]:
    """Fill a token in a temporary folder, list it in turns, and return the figures."""
    with tempfile.TemporaryDirectory() as folder:
        environment = softhsm(Path(folder))
        token = find_token(SOFTHSM, label="bench", environment=environment)
        fill = [sys.executable, "-c", FILL, SOFTHSM, token.serial, PIN, str(pairs)]
        subprocess.run(fill, env=environment, cwd=Path(__file__).parents[1], check=True)
        tool = ["pkcs11-tool", "--module", SOFTHSM, "--token-label", "bench", "--login", "--pin", PIN, "-O"]
        opened = partial(open_token, SOFTHSM, label="bench", serial=token.serial, pin=Pin(PIN), pin_version="1")
        kept = partial(keep_token, SOFTHSM, label="bench", serial=token.serial, pin=Pin(PIN), pin_version="1")

        def listed_by_the_tool() -> None:
            subprocess.run(tool, env=environment, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

        def listed_anew() -> str:
            with opened(deadline_s=120, environment=environment) as device:
                return device.read_all().digest

        tool_s = _seconds(listed_by_the_tool)
        before = _peak_mb()
        anew_s = _seconds(listed_anew)  # host, login and listing, as pkcs11-tool does
        digest = listed_anew()
        with kept(deadline_s=120, environment=environment) as device:
            kept_s = _seconds(device.read_all)
            unchanged_s = _seconds(lambda: device.read_all(digest))
            host_mb = _host_mb()
        close_all()
    return {
        "pairs": pairs,
        "pkcs11_tool_s": tool_s,
        "listing_s": anew_s,
        "listing_on_a_kept_login_s": kept_s,
        "unchanged_listing_s": unchanged_s,
        "share_of_pkcs11_tool": anew_s / tool_s,
        "unchanged_share_of_pkcs11_tool": unchanged_s / tool_s,
        "worker_growth_mb": _peak_mb() - before,
        "host_mb": host_mb,
    }


def _seconds(act: Callable[[], object]) -> float:
    began = time.perf_counter()
    act()
    return time.perf_counter() - began


def _peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _host_mb() -> float:
    (pid,) = [seat.pid for seat in pool.seats() if seat.pid is not None and seat.logged_in is not None]
    (line,) = [text for text in Path(f"/proc/{pid}/status").read_text().splitlines() if text.startswith("VmHWM")]
    return int(line.split()[1]) / 1024


def main() -> None:
    """Print the figures as JSON."""
    print(json.dumps(measure(*map(int, sys.argv[1:2])), indent=1))


if __name__ == "__main__":
    main()
