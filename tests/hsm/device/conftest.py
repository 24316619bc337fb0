"""Devices to test: pki.db, SoftHSM2 through the module host, and the same through p11-kit-proxy."""

import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest

from hsm.device import opening
from hsm.device.base import Device, Pin
from hsm.device.envelopes import SealingOpener
from hsm.device.local import LocalStore
from hsm.device.opening import open_token
from tests.hsm.device.tokens import SOFTHSM, TokenFarm
from tests.shim import faulty
from tests.shim.faulty import FaultyModule

# Debian's softhsm2 registers itself with p11-kit (/usr/share/p11-kit/modules/softhsm2.module), so no file is needed.
MODULES = {"softhsm": SOFTHSM, "p11-kit": "/usr/lib/x86_64-linux-gnu/p11-kit-proxy.so"}


@pytest.fixture
def fresh_hosts() -> Iterator[None]:
    """Start with a closed circuit breaker and no refused PIN; leave no process."""
    opening.close_all()
    yield
    opening.close_all()


@pytest.fixture(scope="session")
def shared_farm(tmp_path_factory: pytest.TempPathFactory) -> TokenFarm:
    """Tokens for tests that only add keys of random ids."""
    return TokenFarm(tmp_path_factory.mktemp("softhsm"))


@pytest.fixture
def farm(tmp_path: Path) -> TokenFarm:
    """Tokens for one test, to be spoiled."""
    return TokenFarm(tmp_path)


@pytest.fixture(scope="session")
def faulty_library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Compile the shim."""
    return faulty.build(faulty.SOURCE, tmp_path_factory.mktemp("shim") / "libfaulty.so")


@pytest.fixture
def module(faulty_library: Path, tmp_path: Path) -> FaultyModule:
    """SoftHSM2 inside the shim."""
    folder = tmp_path / "shim"
    folder.mkdir()
    return FaultyModule(faulty_library, folder, SOFTHSM)


@pytest.fixture
def key_id() -> bytes:
    """Choose a CKA_ID as the console does."""
    return secrets.token_bytes(16)


@pytest.fixture(scope="module", params=["local", *MODULES])
def device(
    request: pytest.FixtureRequest, shared_farm: TokenFarm, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Device]:
    """Every place that a key can live in."""
    if request.param == "local":
        path = tmp_path_factory.mktemp("store") / "pki.db"
        yield LocalStore.create(path, SealingOpener(lambda: Pin(bytes(32)))).device()
        return
    token = shared_farm.make(f"conformance {request.param}")
    with open_token(
        MODULES[request.param],
        label=token.label,
        serial=token.serial,
        pin=Pin(token.pin),
        pin_version="1",
        environment=shared_farm.environment,
    ) as opened:
        yield opened
