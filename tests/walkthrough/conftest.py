"""A console started by `./run` in a checkout of its own, and a real browser."""

import os
import re
import secrets
import shutil
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from console.supervisor import leftovers
from console.supervisor import softhsm as local_softhsm
from tests.bootstrap.conftest import Console, copy_checkout, link_venv, own_database
from tests.fixtures.softhsm import SoftHsm, Token
from tests.walkthrough.administrator import Administrator

ADDRESS = re.compile(r"running at (\S+)")


@pytest.fixture(scope="session")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a checkout whose .venv is the one of this run; tests/bootstrap shows that `./run` makes its own."""
    folder = copy_checkout(tmp_path_factory.mktemp("checkout"))
    link_venv(folder)
    return folder


@pytest.fixture
def fresh(checkout: Path, tmp_path: Path) -> Iterator[Console]:
    """Start a console with no state: an empty machine."""
    shutil.rmtree(checkout / "var", ignore_errors=True)
    with own_database(f"keystead_walk_{secrets.token_hex(4)}") as environment:
        console = Console(checkout, tmp_path / "output", environment)
        console.start(within_s=600)
        yield console
        if console.process and console.process.poll() is None:
            console.signal(signal.SIGTERM)
        leftovers.end(f"{console.run_id}/", grace_s=2)


@pytest.fixture
def open_browser(chromium: Browser, fresh: Console) -> Iterator[Callable[..., Administrator]]:
    """Return a function that sits somebody at a browser of their own."""
    contexts = []
    found = ADDRESS.search(fresh.said)
    assert found

    def make(name: str = "admin") -> Administrator:
        context = chromium.new_context(viewport={"width": 1440, "height": 900}, accept_downloads=True)
        contexts.append(context)
        return Administrator(context.new_page(), found[1], name)

    yield make
    pictures = os.environ.get("KEYSTEAD_SHOTS")
    for number, context in enumerate(contexts):
        for page in context.pages:
            if pictures:
                page.screenshot(path=Path(pictures) / f"last-{number}.png", full_page=True)
        context.close()


@pytest.fixture
def admin(open_browser: Callable[..., Administrator], fresh: Console) -> Iterator[Administrator]:
    """Give the first Administrator, signed in for the first time."""
    person = open_browser()
    person.sign_in_first(fresh.state.first_password.read_text().strip())
    yield person
    assert person.troubles == []


@pytest.fixture
def hsm(fresh: Console, monkeypatch: pytest.MonkeyPatch) -> SoftHsm:
    """Look at, and add to, the SoftHSM2 tokens that the console's worker sees."""
    module = local_softhsm.module()
    assert module
    folder = fresh.state.softhsm
    monkeypatch.setenv("SOFTHSM2_CONF", str(folder / "softhsm2.conf"))
    made = SoftHsm(folder, module)
    (slot_id, serial), *_ = made._slots()
    pin = (fresh.state.secrets / "softhsm-pin").read_text().strip()
    made.tokens.append(Token(module, "keystead-demo", pin, "", serial, slot_id))
    return made
