"""A checkout of its own, started by `./run` as a stranger would."""

import http.client
import os
import random
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest
from django.conf import settings

from console.env import BASE_DIR
from console.supervisor import leftovers, ports
from console.supervisor.commands import STOP_ORDER
from console.supervisor.state import State
from tests.fixtures.processes import wait_for

ADDRESS = re.compile(r"Keystead is running at (http://localhost:(\d+))\n")
# What a login without a terminal has, and nothing of this test's own.
PLAIN_ENVIRONMENT = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}


@dataclass
class Console:
    """`./run` in a checkout, as one process with all it started."""

    checkout: Path
    output: Path
    environment: dict[str, str] = field(default_factory=dict)
    process: "subprocess.Popen[bytes] | None" = None

    @property
    def state(self) -> State:
        return State(self.checkout / "var")

    @property
    def said(self) -> str:
        return self.output.read_text()

    @property
    def port(self) -> int:
        found = ADDRESS.search(self.said)
        assert found, self.said
        return int(found[2])

    @property
    def is_running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    @property
    def run_id(self) -> str:
        return str(self.state.recall("last")["run"])

    def start(self, within_s: float = 240.0) -> None:
        """Start it without a terminal and wait for its address."""
        if not self.state.recall("ports"):
            self.state.running.mkdir(parents=True, exist_ok=True)
            self.state.remember("ports", ports_of_this_process())
        with self.output.open("wb") as output:
            self.process = subprocess.Popen(
                # Whoever runs the tests may have SIGHUP ignored, and ./run honours that.
                ["env", "--default-signal=HUP", "./run"],
                cwd=self.checkout,
                env={**PLAIN_ENVIRONMENT, **self.environment},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        process = self.process
        wait_for(lambda: ADDRESS.search(self.said) or process.poll() is not None, within_s, "the address")
        assert process.poll() is None, self.said

    def call(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        """Run another `./run` in the same checkout to its end."""
        return subprocess.run(
            ["./run", *arguments],
            cwd=self.checkout,
            env={**PLAIN_ENVIRONMENT, **self.environment},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )

    def get(self, path: str = "/health/live") -> int:
        """Return the status of a page, 0 when nothing answers."""
        connection = http.client.HTTPConnection("localhost", self.port, timeout=60)
        try:
            connection.request("GET", path)
            return connection.getresponse().status
        except OSError:
            return 0
        finally:
            connection.close()

    def processes(self, name: str = "") -> set[int]:
        """Return the processes of this run, or those of one child."""
        return leftovers.marked(f"{self.run_id}/{name}/" if name else f"{self.run_id}/")

    def main_process(self, name: str) -> int:
        """Return the process that the supervisor started for a child: the first of its session."""
        return next(pid for pid in self.processes(name) if os.getsid(pid) == pid)

    def signal(self, number: signal.Signals) -> int:
        """Send a signal to the started process alone, and return its exit status."""
        assert self.process
        self.process.send_signal(number)
        return self.process.wait(180)


def ports_of_this_process() -> dict[str, int]:
    """Return ports that no other process of this run of the tests takes: two starts at once may find the same free."""
    number = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    own = [port for port in ports.OTHERS[1000 * number : 1000 * number + 1000] if ports.is_free(port)]
    names = ("broker", *ports.FIRST_CHOICES)
    return dict(zip(names, random.sample(own, len(names)), strict=True))


@pytest.fixture(scope="session")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a folder without .venv and var, as after `git clone`.

    On the PostgreSQL leg with the .venv of this run: that `./run` makes its own is shown once.
    """
    folder = copy_checkout(tmp_path_factory.mktemp("checkout"))
    if settings.DATABASES["default"]["ENGINE"].endswith("postgresql"):
        link_venv(folder)
    return folder


def link_venv(folder: Path) -> None:
    """Make the .venv of this run that of a checkout, as `./run` leaves it when everything is installed."""
    (folder / ".venv").mkdir()
    for name in ("bin", "include", "lib", "pyvenv.cfg"):
        (folder / ".venv" / name).symlink_to(Path(sys.prefix) / name)
    sums = subprocess.run(["cksum", "requirements.lock"], cwd=folder, check=True, capture_output=True, text=True)
    (folder / ".venv" / "requirements.lock.stamp").write_text(f"{sums.stdout}{sys.version}\n")


def copy_checkout(folder: Path) -> Path:
    """Copy what git knows, as it is now, and return the folder."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=BASE_DIR,
        check=True,
        capture_output=True,
        text=True,
    )
    for name in filter(None, listed.stdout.split("\0")):
        if (BASE_DIR / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(BASE_DIR / name, folder / name)
    return folder


@contextmanager
def own_database(name: str) -> Iterator[dict[str, str]]:
    """On the PostgreSQL leg give ./run a database of its own there; else nothing, so that it uses SQLite."""
    if not settings.DATABASES["default"]["ENGINE"].endswith("postgresql"):
        yield {}
        return
    parts = urlsplit(os.environ["DATABASE_URL"])
    with psycopg.connect(parts.geturl(), autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"')
        yield {"DATABASE_URL": parts._replace(path=f"/{name}").geturl()}
        connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


@pytest.fixture(scope="session")
def database() -> Iterator[dict[str, str]]:
    """Give the consoles of this session one database, which outlives each of them."""
    with own_database(f"keystead_run_{os.getpid()}") as environment:
        yield environment


@pytest.fixture(scope="module")
def kept_console(
    checkout: Path, tmp_path_factory: pytest.TempPathFactory, database: dict[str, str]
) -> Iterator[Console]:
    """Give the console that the tests of a file use one after the other; at the end it is gone, its data stay."""
    made = Console(checkout, tmp_path_factory.mktemp("console") / "output", database)
    yield made
    end(made)


@pytest.fixture
def console(kept_console: Console) -> Console:
    """Give a console that is not running."""
    end(kept_console)
    return kept_console


@pytest.fixture
def started(kept_console: Console) -> Console:
    """Give a console that answers, with every process up: the one of the test before, if that left it so."""
    if not kept_console.is_running:
        end(kept_console)
        # The very first start of the session makes .venv as well.
        kept_console.start(within_s=600)
    wait_for(lambda: all(map(kept_console.processes, chain(*STOP_ORDER))), what="all processes")
    wait_for(lambda: kept_console.get("/health/ready") == 200, what="/health/ready")
    return kept_console


def end(console: Console) -> None:
    """End a console and everything that it started, however a test left it."""
    if console.is_running:
        assert console.process
        console.process.kill()
        console.process.wait()
    if console.state.recall("last"):
        leftovers.end(f"{console.run_id}/", grace_s=2)
