"""Devices to test: pki.db, SoftHSM2 through the module host, and the same through p11-kit-proxy."""

import os
import secrets
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from hsm.device import opening
from hsm.device.base import Device, Pin
from hsm.device.envelopes import SealingOpener
from hsm.device.gatewaycalls import close_links
from hsm.device.local import LocalStore
from hsm.device.objects import ObjectDevice
from hsm.device.opening import open_token
from tests.fixtures.certificates import Authority, Issued
from tests.fixtures.gateway import Gateways
from tests.hsm.device.sites import Site
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


@pytest.fixture
def no_links() -> Iterator[None]:
    """Begin without a kept connection to a gateway; leave none."""
    close_links()
    yield
    close_links()


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority("Test CA")


@pytest.fixture(scope="module")
def leaf(authority: Authority) -> Issued:
    """Issue the certificate of a peer on this machine."""
    return authority.issue("gateway", ["127.0.0.1", "localhost"])


@contextmanager
def folder() -> Iterator[Path]:
    """Give a folder in memory where the machine allows: tokens and stores sync every write, and no test cuts power."""
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if os.access(memory, os.W_OK) else None) as name:
        yield Path(name)


@pytest.fixture(scope="session")
def shared_farm() -> Iterator[TokenFarm]:
    """Tokens for tests that only add keys of random ids."""
    with folder() as place:
        yield TokenFarm(place)


@pytest.fixture
def farm() -> Iterator[TokenFarm]:
    """Tokens for one test, to be spoiled."""
    with folder() as place:
        yield TokenFarm(place)


@pytest.fixture
def path() -> Iterator[Path]:
    """Where a test may make its pki.db; nothing else is in the folder."""
    with folder() as place:
        yield place / "pki.db"


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


@pytest.fixture(scope="session")
def gateway_site(shared_farm: TokenFarm) -> Iterator[Site]:
    """Start a gateway before a token of its own, for tests that only add keys of random ids."""
    with folder() as place, Gateways(place / "gateways") as gateways:
        yield Site.make(shared_farm, gateways, "conformance gateway")


@pytest.fixture(scope="module", params=["local", *MODULES, "gateway", "group"])
def device(request: pytest.FixtureRequest, shared_farm: TokenFarm) -> Iterator[Device]:
    """Every place that a key can live in."""
    if request.param in ("gateway", "group"):
        site: Site = request.getfixturevalue("gateway_site")
        yield site.device() if request.param == "gateway" else site.group_behind_a_dead_member()
        return
    if request.param == "local":
        with folder() as place:
            yield LocalStore.create(place / "pki.db", SealingOpener(lambda: Pin(bytes(32)))).device()
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


@pytest.fixture(scope="module")
def objects(device: object) -> ObjectDevice:
    """Give the device by its other port."""
    assert isinstance(device, ObjectDevice)
    return device
