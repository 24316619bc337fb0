"""`./run test`: the checks, then every test on SQLite, then those that a database decides on a PostgreSQL made for it.

`--quick` leaves out the PostgreSQL leg and what is slow, by its mark or by its file (tests.fixtures.quick). With
arguments for pytest only those tests run, on the database that DATABASE_URL names (SQLite without it), and no checks.
Standard library only.
"""

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from tests import postgres

PROJECT = Path(__file__).resolve().parents[1]
PACKAGES = ("console", "settings_store", "hsm", "keys", "trust", "serving", "tests", "bench")
PYTHON = (sys.executable, "-m")
LINT_IMPORTS = "from importlinter.cli import lint_imports_command; lint_imports_command()"
CHECKS = {
    "format": (*PYTHON, "ruff", "format", "--check", "--output-format", "concise", "."),
    "lint": (*PYTHON, "ruff", "check", "--output-format", "concise", "."),
    "types": (*PYTHON, "mypy", *PACKAGES),
    "import contracts": (sys.executable, "-c", LINT_IMPORTS),
    "templates": (*PYTHON, "djlint", "--lint", "--quiet", "templates"),
    "migrations": (sys.executable, "manage.py", "makemigrations", "--check", "--dry-run"),
}

# A file at a time: tests of one file share what is dear to make. Half of its time a test waits for another process, so
# there is one worker more than there are cores. The order is that of tests.fixtures.longestfirst; xdist's own, by the
# number of tests, would begin with the shortest.
WORKERS = min(4, (os.cpu_count() or 1) + 1)
PARALLEL = ("-n", str(WORKERS), "--dist", "loadfile", "--no-loadscope-reorder")

# Hundreds of processes import the same files: what one has compiled the next ones read, also where the caller's habit
# is to keep none. Without, each process of xdist rewrites the asserts of every test anew, which takes 10 seconds.
KEEPS_BYTECODE = {"PYTHONDONTWRITEBYTECODE": None}


def main(arguments: list[str]) -> int:
    """Return the exit status: 0 only when every check and every leg was good."""
    is_quick = "--quick" in arguments
    arguments = [argument for argument in arguments if argument != "--quick"]
    if arguments:
        return pytest("as given", [*arguments, *(("-m", "not slow") if is_quick else ())], {})
    began = time.monotonic()
    if failed := [name for name, command in CHECKS.items() if not passes(name, command)]:
        print(f"\n{len(failed)} checks failed: {', '.join(failed)}", flush=True)
        return 1
    statuses = [pytest("SQLite", [*PARALLEL, *(("-m", "not slow") if is_quick else ())], {"DATABASE_URL": None})]
    if not is_quick:
        with postgres.cluster() as url:
            statuses.append(pytest("PostgreSQL", (*PARALLEL, "--only-database"), {"DATABASE_URL": url}))
    print(f"{time.monotonic() - began:.0f} s in all; exit status by leg: {statuses}", flush=True)
    return int(any(statuses))


def passes(name: str, command: tuple[str, ...]) -> bool:
    """Run one check and tell whether it is content; its output is shown when it is not."""
    began = time.monotonic()
    done = subprocess.run(command, cwd=PROJECT, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    verdict = "ok" if done.returncode == 0 else "FAILED"
    print(f"{verdict:>6} {time.monotonic() - began:5.1f} s  {name}", flush=True)
    if done.returncode != 0:
        print(done.stdout, done.stderr, sep="\n", flush=True)
    return done.returncode == 0


def pytest(leg: str, arguments: Sequence[str], environment: dict[str, str | None]) -> int:
    """Run pytest and return its status; 5 (no test) counts as failed like any other."""
    print(f"\n--- tests on {leg}", flush=True)
    settled = {**os.environ, **KEEPS_BYTECODE, **environment}
    variables = {name: value for name, value in settled.items() if value is not None}
    command = (*PYTHON, "pytest", "--durations=15", *arguments)
    return subprocess.run(command, cwd=PROJECT, stdin=subprocess.DEVNULL, env=variables, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
