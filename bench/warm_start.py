"""`./run` when everything is set up, until the page of the sign-in has come."""

import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
import urllib.request
from pathlib import Path

from bench.figures import p50

ROUNDS = 5
ADDRESS = re.compile(rb"running at http://localhost:(\d+)")
PROJECT = Path(__file__).parents[1]


def measure() -> dict[str, float]:
    """Return the median over several starts, and that of a stop."""
    folder = Path(tempfile.mkdtemp(prefix="keystead-bench-"))
    try:
        start_and_stop(folder)
        rounds = [start_and_stop(folder) for _ in range(ROUNDS)]
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return {
        "start to first page, s": p50([start for start, _ in rounds]),
        "stop, s": p50([stop for _, stop in rounds]),
    }


def start_and_stop(folder: Path) -> tuple[float, float]:
    """Return the seconds to the first page, and those of stopping."""
    began = time.perf_counter()
    environment = {**os.environ, "KEYSTEAD_STATE_DIR": str(folder / "var")}
    process = subprocess.Popen(
        ["./run"], cwd=PROJECT, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE
    )
    try:
        first_page(process)
        started = time.perf_counter()
        time.sleep(3)  # until worker and beat have loaded: a stop in the middle of that is another measurement
    finally:
        stopping = time.perf_counter()
        process.send_signal(signal.SIGTERM)
        process.communicate()
    return started - began, time.perf_counter() - stopping


def first_page(process: "subprocess.Popen[bytes]") -> None:
    """Wait for the address and fetch what it leads to: the page of the sign-in."""
    said = b""
    while not ADDRESS.search(said):
        line = process.stdout.readline() if process.stdout else b""
        assert line, "./run ended before it named its address"
        said += line
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(
        f"http://localhost:{int(ADDRESS.findall(said)[0])}/", timeout=30
    ) as page:
        assert b"csrfmiddlewaretoken" in page.read(), page.url
