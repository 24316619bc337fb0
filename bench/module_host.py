"""What the module host costs: the same signature through the host and in one process, taken in turns.

    python -m bench.module_host

`measure` returns medians in milliseconds. The goal is a median overhead of at most 0.3 ms for a call. The call in one
process is the host's own adapter without the host, so that what is compared differs by the process only.
"""

import json
import os
import secrets
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from statistics import median, quantiles
from time import perf_counter

from hsm.device.base import KeySpec, Pin, SignatureScheme
from hsm.device.opening import close_all, open_token
from hsm.device.spki import x509_signature

SOFTHSM = "/usr/lib/softhsm/libsofthsm2.so"
GOAL_MS = 0.3
ROUNDS, CALLS = 40, 25
PIN = "13572468"
SCHEME = SignatureScheme.ECDSA_SHA256
DIGEST = bytes(32)
# In a process of its own: a module is never loaded into a process that may fork later.
DIRECT = """
import json, sys
from bench.module_host import direct_times
print(json.dumps(direct_times(sys.argv[1], sys.argv[2], bytes.fromhex(sys.argv[3]))))
"""


def measure() -> dict[str, float | bool]:
    """Make a token in a temporary folder, measure in turns, and return the figures."""
    with tempfile.TemporaryDirectory() as folder:
        environment = softhsm(Path(folder))
        key_id = secrets.token_bytes(16)
        with open_token(SOFTHSM, label="bench", pin=Pin(PIN), pin_version="1", environment=environment) as device:
            device.generate_key_pair(key_id, KeySpec.EC_P256, "bench")
            serial = device.token().serial
            hosted: list[float] = []
            direct: list[float] = []
            for _ in range(4):
                hosted += _times(lambda: device.sign(key_id, DIGEST, SCHEME))
                direct += _in_one_process(serial, key_id, environment)
        close_all()
    overhead = median(hosted) - median(direct)
    return {
        "host_median_ms": median(hosted),
        "host_p95_ms": quantiles(hosted, n=20)[-1],
        "direct_median_ms": median(direct),
        "direct_p95_ms": quantiles(direct, n=20)[-1],
        "overhead_median_ms": overhead,
        "goal_ms": GOAL_MS,
        "good": overhead <= GOAL_MS,
    }


def direct_times(path: str, serial: str, key_id: bytes) -> list[float]:
    """Return the times of the same call with the module in this process."""
    from hsm.device.pkcs11 import Module

    module = Module(str(Path(path).resolve()))
    module.login("bench", serial, PIN.encode())
    return _times(lambda: x509_signature(module.sign(key_id, DIGEST, SCHEME.value), SCHEME))


def _times(call: Callable[[], object]) -> list[float]:
    """Return the milliseconds of single calls, after a few that warm up."""
    for _ in range(CALLS):
        call()
    times = []
    for _ in range(ROUNDS * CALLS):
        began = perf_counter()
        call()
        times.append((perf_counter() - began) * 1000)
    return times


def _in_one_process(serial: str, key_id: bytes, environment: dict[str, str]) -> list[float]:
    command = [sys.executable, "-c", DIRECT, SOFTHSM, serial, key_id.hex()]
    root = Path(__file__).parents[1]
    done = subprocess.run(command, env=environment, cwd=root, check=True, capture_output=True, text=True)
    return [float(value) for value in json.loads(done.stdout)]


def softhsm(folder: Path) -> dict[str, str]:
    """Make a token named bench in the folder, and return the environment that shows it."""
    (folder / "tokens").mkdir()
    conf = folder / "softhsm2.conf"
    conf.write_text(f"directories.tokendir = {folder / 'tokens'}\nobjectstore.backend = file\nlog.level = ERROR\n")
    environment = {**os.environ, "SOFTHSM2_CONF": str(conf)}
    make = ["softhsm2-util", "--init-token", "--free", "--label", "bench", "--so-pin", PIN, "--pin", PIN]
    subprocess.run(make, env=environment, check=True, capture_output=True)
    return environment


def main() -> None:
    """Print the figures as a table and as JSON."""
    figures = measure()
    for name, value in figures.items():
        print(f"{name:<20} {value if isinstance(value, bool) else f'{value:8.3f}'}")
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
