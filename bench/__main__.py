"""`./run bench [NAME...]`: run the measurements of this folder, print them as a table, write build/bench.json.

A measurement is a module with `measure()`, which returns figures by name, and perhaps LIMITS, the most that a figure
may be. Each runs in a process of its own, one after the other: what one leaves in memory does not touch the next.
"""

import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
RESULT = HERE.parent / "build" / "bench.json"


def main(wanted: list[str]) -> int:
    """Return 0 when everything could be measured; a figure over its limit is marked, not an error."""
    known = names()
    if unknown := set(wanted) - set(known):
        print(f"There is no measurement {', '.join(sorted(unknown))}. There are: {', '.join(known)}", file=sys.stderr)
        return 2
    results = {}
    for name in wanted or known:
        print(f"{name} …", end=" ", flush=True)
        began = time.monotonic()
        results[name] = run(name)
        print(f"{time.monotonic() - began:.0f} s", flush=True)
    print_table(results)
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(json.dumps({"machine": machine(), "results": results}, indent=1) + "\n")
    print(f"\nAs JSON: {RESULT}")
    return int(any("error" in result for result in results.values()))


def names() -> list[str]:
    """Return the measurements there are: the modules of this folder that define `measure`."""
    return sorted(path.stem for path in HERE.glob("*.py") if "\ndef measure(" in path.read_text())


def run(name: str) -> dict[str, Any]:
    """Measure in a fresh process; a failure is a result too."""
    with tempfile.NamedTemporaryFile() as answer:
        command = [sys.executable, "-m", "bench.one", name, answer.name]
        done = subprocess.run(
            command, cwd=HERE.parent, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
        )
        if done.returncode != 0:
            print(done.stderr, file=sys.stderr)
            return {"error": (done.stderr.strip().splitlines() or ["no reason was given"])[-1]}
        result: dict[str, Any] = json.loads(answer.read())
        return result


def print_table(results: dict[str, dict[str, Any]]) -> None:
    """Print one line for each figure."""
    print(f"\n{'measurement':<22} {'figure':<44} {'value':>12} {'at most':>10}")
    for name, result in results.items():
        if "error" in result:
            print(f"{name:<22} {result['error']}")
        for figure, value in result.get("figures", {}).items():
            limit = result["limits"].get(figure)
            over = "  OVER" if limit is not None and value > limit else ""
            print(f"{name:<22} {figure:<44} {shown(value):>12} {shown(limit):>10}{over}")


def shown(value: Any) -> str:
    """Return a figure with three digits that matter."""
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"
    return "" if value is None else f"{value:,}" if isinstance(value, int) else str(value)


def machine() -> dict[str, Any]:
    """Return what the figures were measured on."""
    return {"python": platform.python_version(), "system": platform.platform(), "cores": os.cpu_count()}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
