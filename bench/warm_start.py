"""`./run` when everything is set up, until the page of the sign-in has come."""

import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path

from bench.figures import p50

ROUNDS = 5
ADDRESS = re.compile(rb"running at http://localhost:(\d+)")
PROJECT = Path(__file__).parents[1]
# What each says once it has loaded: the worker has done what beat sent it.
LOADED = {
    "worker.log": re.compile(rb"Task jobs\.tick\[[-0-9a-f]+\] succeeded"),
    "gateway.log": re.compile(rb" Serving /"),
}


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
    logs = folder / "var" / "log"
    had = {name: len(written(logs / name)) for name in LOADED}
    try:
        first_page(process)
        started = time.perf_counter()
        # A stop in the middle of loading is another measurement.
        for name, line in LOADED.items():
            wait_until(lambda: line.search(written(logs / name)[had[name] :]) is not None, name)  # noqa: B023 - at once
    finally:
        stopping = time.perf_counter()
        process.send_signal(signal.SIGTERM)
        process.communicate()
    return started - began, time.perf_counter() - stopping


def written(log: Path) -> bytes:
    """Return what stands in a log; former starts wrote into it as well."""
    return log.read_bytes() if log.exists() else b""


def wait_until(condition: Callable[[], bool], what: str) -> None:
    """Wait for a condition, for two minutes at most."""
    until = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < until, f"{what} says nothing of what was waited for"
        time.sleep(0.02)


def first_page(process: "subprocess.Popen[bytes]") -> None:
    """Wait for the address and fetch what it leads to: the page of the sign-in."""
    said = b""
    while not ADDRESS.search(said):
        line = process.stdout.readline() if process.stdout else b""
        assert line, "./run ended before it named its address"
        said += line
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(
        f"http://localhost:{int(ADDRESS.findall(said)[0])}/", timeout=120
    ) as page:
        assert b"csrfmiddlewaretoken" in page.read(), page.url
