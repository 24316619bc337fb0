"""./run as each kind of user: root, one with sudo, one without.

Debian's programs are replaced by small ones that note how they were called; the script itself is the real one.
"""

import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from console.env import BASE_DIR

NOTED_PYTHON = f"""#!/bin/sh
case "$*" in
    *console.supervisor*) echo started; exit 0 ;;
    "-m venv"*) mkdir -p .venv/bin && cp "$0" .venv/bin/python && exit 0 ;;
    "-m pip"*) echo "python $*" >>"$CALLS"; exit 0 ;;
esac
exec {sys.executable} "$@"
"""


@dataclass
class Machine:
    """A machine on which only the named packages are installed."""

    folder: Path

    def program(self, name: str, script: str) -> None:
        path = self.folder / "bin" / name
        path.write_text(script if script.startswith("#!") else f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [self.folder / "run", *arguments],
            cwd="/",
            env={"PATH": f"{self.folder / 'bin'}:/usr/bin:/bin", "CALLS": str(self.folder / "calls")},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )

    @property
    def calls(self) -> list[str]:
        path = self.folder / "calls"
        return path.read_text().splitlines() if path.exists() else []


@pytest.fixture
def machine(tmp_path: Path) -> Callable[..., Machine]:
    def make(*, uid: int, sudo: bool, installed: bool) -> Machine:
        (tmp_path / "bin").mkdir()
        for name in ("run", "requirements.lock", "requirements-test.lock"):
            shutil.copy2(BASE_DIR / name, tmp_path / name)
        made = Machine(tmp_path)
        made.program("id", f"echo {uid}")
        made.program("sudo", 'shift; case "$1" in true) exit 0;; esac; exec "$@"' if sudo else "exit 1")
        made.program("dpkg-query", "printf 'installed '" if installed else "printf 'not-installed '; exit 0")
        made.program("apt-get", 'echo "apt-get $* $DEBIAN_FRONTEND" >>"$CALLS"')
        made.program("python3", NOTED_PYTHON)
        return made

    return make


@pytest.mark.parametrize(("uid", "sudo"), [(0, False), (1000, True)])
def test_who_may_install_is_not_asked(machine: Callable[..., Machine], uid: int, sudo: bool) -> None:
    here = machine(uid=uid, sudo=sudo, installed=False)
    done = here.run()
    assert (done.returncode, done.stdout) == (0, "started\n"), done.stderr
    update, install = here.calls[:2]
    assert update.endswith("update noninteractive")
    assert install.endswith("install -y --no-install-recommends softhsm2 noninteractive")


def test_who_may_not_install_is_told_the_one_command(machine: Callable[..., Machine]) -> None:
    here = machine(uid=1000, sudo=False, installed=False)
    done = here.run("test")
    assert done.returncode == 1
    command = "apt-get update && apt-get install -y --no-install-recommends"
    assert f"{command} softhsm2 chromium-headless-shell libatomic1" in done.stderr
    assert here.calls == []
    assert not (here.folder / ".venv").exists()


def test_who_may_not_install_starts_when_an_administrator_has(machine: Callable[..., Machine]) -> None:
    here = machine(uid=1000, sudo=False, installed=True)
    assert here.run().stdout == "started\n"
    assert not [call for call in here.calls if call.startswith("apt-get")]


def test_packages_are_installed_by_hash_when_the_lock_changed_only(machine: Callable[..., Machine]) -> None:
    here = machine(uid=1000, sudo=False, installed=True)
    here.run()
    (first,) = here.calls
    assert "--no-input" in first
    assert first.endswith("install --require-hashes -r requirements.lock")
    here.run()
    assert here.calls == [first]
    with (here.folder / "requirements.lock").open("a") as lock:
        lock.write("# another\n")
    here.run()
    assert here.calls == [first, first]


def test_an_old_python_is_named(machine: Callable[..., Machine]) -> None:
    here = machine(uid=0, sudo=False, installed=True)
    for name in ("python3", "python3.11", "python3.12", "python3.13", "python3.14"):
        here.program(name, "exit 1")
    done = here.run()
    assert done.returncode == 1
    assert "needs Python 3.11 or newer" in done.stderr


@pytest.mark.parametrize("arguments", [("nonsense",), ("start", "more"), ("--help",)])
def test_what_it_does_not_know_it_says(machine: Callable[..., Machine], arguments: tuple[str, ...]) -> None:
    done = machine(uid=0, sudo=False, installed=True).run(*arguments)
    assert done.returncode == 1
    assert "./run" in done.stderr
    assert done.stdout == ""
