"""The walkthrough of clients: a file is downloaded, clients enrol with it, follow their server to another root, answer.

Everything is real: `./run` with its listeners, clients as processes of their own, and a browser. What a client does
within hours it does here when it is started again, or on a machine whose clock is ahead.
"""

import json
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from console.env import BASE_DIR
from tests.bootstrap.conftest import PLAIN_ENVIRONMENT, Console
from tests.fixtures.processes import wait_for
from tests.walkthrough.administrator import JOB_MS, Administrator

pytestmark = [pytest.mark.slow, pytest.mark.one_database]

COUNTED_MS = 150_000
"""Clients are counted once a minute."""


@dataclass
class Machine:
    """One client: its directory, and with what it begins."""

    folder: Path
    name: str
    begins: tuple[str, ...]

    def argv(self, *further: str, ahead_h: float = 0) -> list[str]:
        module = ("tests.walkthrough.machine", str(ahead_h)) if ahead_h else ("trust.agent",)
        return [sys.executable, "-m", *module, "--dir", str(self.folder), "--name", self.name, *self.begins, *further]

    def turn(self, times: int = 2, ahead_h: float = 0) -> None:
        """Start it, and start it again: it does what is due, and says at once what that has changed."""
        for _ in range(times):
            self.call("--once", ahead_h=ahead_h)

    def call(self, *further: str, ahead_h: float = 0) -> None:
        argv = self.argv(*further, ahead_h=ahead_h)
        done = subprocess.run(argv, cwd=BASE_DIR, env=PLAIN_ENVIRONMENT, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr

    def until(self, condition: Callable[[], bool], what: str, ahead_h: float = 0) -> None:
        def turned() -> bool:
            self.turn(1, ahead_h)
            return condition()

        try:
            wait_for(turned, within_s=180, what=what)
        except AssertionError as error:
            error.add_note(self.log)
            raise

    @property
    def state(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.folder / "state.json").read_text())
        return found

    @property
    def roots(self) -> set[str]:
        """The fingerprints of the roots it holds."""
        return set(self.state["roots"])

    @property
    def log(self) -> str:
        return "".join(path.read_text() for path in sorted((self.folder / "Logs").glob("*.log")))


@pytest.fixture
def machine(fresh: Console, tmp_path: Path) -> Callable[..., Machine]:
    """Return a function that puts a client on a machine from which the server is reached at localhost."""
    ports = fresh.state.recall("ports")
    connect = f"localhost:{ports['listener']}:{ports['listener-plain']}"

    def make(name: str, *begins: str) -> Machine:
        return Machine(tmp_path / name, name, (*begins, "--connect", connect))

    return make


@pytest.fixture
def running(machine: Callable[..., Machine]) -> Iterator[Callable[[Machine], "subprocess.Popen[bytes]"]]:
    """Return a function that starts a client to stay."""
    started: list[subprocess.Popen[bytes]] = []

    def start(one: Machine) -> "subprocess.Popen[bytes]":
        started.append(subprocess.Popen(one.argv(), cwd=BASE_DIR, env=PLAIN_ENVIRONMENT))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.wait()


def test_clients_from_their_file_to_another_root(
    admin: Administrator,
    fresh: Console,
    machine: Callable[..., Machine],
    running: Callable[[Machine], "subprocess.Popen[bytes]"],
    tmp_path: Path,
) -> None:  # BND-01, BND-06, CLI-03, KEY-43, ROT-05, HSI-26, HSI-27, HSI-28, AMB-03, AMB-05
    server = admin.page.locator("#side .env strong").inner_text()
    file = _download(admin, tmp_path)
    here, away = (machine(name, "--init", str(file)) for name in ("here.example", "away.example"))
    process = running(here)
    away.turn(1)
    _shows(admin, "away.example", "Yes")
    _shows(admin, "here.example", "Yes")
    admin.walk("Client Status")  # CLI-03
    expect(admin.page.locator("table.clients tbody tr")).to_have_count(2)
    old = here.roots | away.roots
    assert len(old) == 1

    # The process is killed and comes back to its directory; then it is time to move below the new root.
    admin.create_key(f"{server} Root 1")
    admin.wait_for_job("Make subordinate keys")
    admin.wait_for_job("Cross-certify root keys")
    process.send_signal(signal.SIGKILL)
    process.wait()
    here.until(lambda: len(here.roots) == 2, "the new root")
    (new,) = here.roots - old
    here.until(lambda: here.state["identity"]["root"] == new, "a certificate below the new root", ahead_h=7)
    here.turn()
    admin.go("/keys/")
    waits = admin.tile(f"{server} Root 0")
    _counted(admin, lambda: "1 client" in waits.inner_text())

    dialog = admin.open_revoke_dialog(f"{server} Root 0")
    expect(dialog.locator(".depending")).to_contain_text("away.example")
    expect(dialog.locator(".depending")).not_to_contain_text("here.example")
    admin.revoke_now(f"{server} Root 0")
    for one in (here, away):
        one.until(lambda one=one: one.roots == {new}, "the end of the old root")  # type: ignore[misc]
    assert away.state["identity"]["root"] == new
    assert "certificate-refused" in away.log  # it came back by the proof of its last key

    _ask(admin, here, away)
    running(here)
    _verify_integration(admin, away)
    _client_7_2(admin, machine, server, tmp_path)


def _download(admin: Administrator, folder: Path) -> Path:
    """Administration > Configuration > Infrastructure: the file of Clients v7.4+ (BND-01)."""
    page = admin.page
    admin.walk("Infrastructure")
    page.locator("#download-init").click()
    with page.expect_download(timeout=JOB_MS) as download:
        page.locator("dialog").get_by_role("button", name="Download").click()
    path = folder / download.value.suggested_filename
    assert path.name == "keystead-init.dat"
    download.value.save_as(path)
    return path


def _shows(admin: Administrator, name: str, using_tls: str) -> None:
    """See on Client Status how a client registered: rows are written once a second."""

    def is_there() -> bool:
        admin.go(f"/clients/?q={name}")
        row = admin.page.locator("table.clients tbody tr").filter(has_text=name)
        return row.count() == 1 and using_tls in row.locator("td").nth(2).inner_text()

    wait_for(is_there, what=f"{name} on Client Status", every_s=0.2)


def _counted(admin: Administrator, condition: Callable[[], bool]) -> None:
    def holds() -> bool:
        admin.go("/keys/")
        return condition()

    wait_for(holds, within_s=COUNTED_MS / 1000, what="the count of clients", every_s=0.5)


def _ask(admin: Administrator, here: Machine, away: Machine) -> None:
    """Ask both clients for the roots they hold, and read their answers (AMB-03)."""
    page = admin.page
    admin.go("/questions/")
    page.get_by_role("link", name="Ask a question").first.click()
    page.get_by_label("Root Keys Held").check()
    page.get_by_role("button", name="Ask", exact=True).click()
    expect(page.locator("h1")).to_contain_text("Root Keys Held")
    question = page.url.removeprefix(admin.address)
    for one in (here, away):
        one.until(lambda one=one: one.state["sequences"].get("question", 0) > 0, "the question")  # type: ignore[misc]
        one.turn(1)
    admin.go(question)
    answers = page.locator("section", has=page.locator("#answers")).locator("tbody tr")
    expect(answers).to_have_count(2, timeout=JOB_MS)
    expect(answers.locator(".state.ok")).to_have_count(2)
    expect(answers.filter(has_text="Root 1")).to_have_count(2)


def _verify_integration(admin: Administrator, client: Machine) -> None:
    """Verify an HSM integration, whole: keys, clients connected, a question answered (HSI-26 to HSI-28)."""
    page = admin.page
    admin.go("/keys/hsm-integration/step/verify/")
    page.locator("main").get_by_role("button", name="Verify", exact=True).click()
    lines = page.locator("ul.checks li")

    def is_done() -> bool:
        client.turn(1)
        return lines.filter(has_text="A question answered").count() == 1

    wait_for(is_done, within_s=JOB_MS / 1000, what="the verification")
    expect(lines.filter(has_text=re.compile("Clients connected|A question answered"))).to_have_count(2)
    expect(page.locator("ul.checks li.bad")).to_have_count(0)


def _client_7_2(admin: Administrator, machine: Callable[..., Machine], server: str, folder: Path) -> None:
    """Enable protocol 314, download keystead.pub, and have Client 7.2 register with TLS (BND-02, TLS-26)."""
    page = admin.page
    admin.change_setting("enable_protocol_314_flag", "1")
    admin.go("/infrastructure/")
    legacy = page.locator("section", has=page.locator("#legacy"))
    with page.expect_download(timeout=JOB_MS) as download:
        legacy.get_by_role("button", name="Download").click()
    path = folder / download.value.suggested_filename
    assert path.name == "keystead.pub"
    download.value.save_as(path)
    begins = ("--protocol", "314", "--public-key", str(path), "--server", server)
    older = machine("older.example", *begins)
    older.call("--set", "ReportingTLSMode=1")
    older.until(lambda: "with TLS" in older.log or "over TLS" in older.log, "a registration of Client 7.2")
    _shows(admin, "older.example", "Yes")
    admin.go("/clients/?q=older.example")
    expect(page.locator("table.clients tbody tr")).to_contain_text("314")
