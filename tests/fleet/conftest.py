"""A fleet of simulated clients before a real listener, and the acts of an administrator."""

from collections.abc import Callable
from pathlib import Path

import pytest

from console.jobs.models import Job
from tests.fixtures.listener import Listener
from tests.fleet.simulator import Fleet
from tests.keys.conftest import ALICE, make_root
from trust.infrastructure import writing
from trust.infrastructure.credentials import Limits
from trust.infrastructure.files import Wanted
from trust.publishing import publishing
from trust.wire.initfile import Address

__all__ = ["make_root"]

RunJobs = Callable[..., list[Job]]
Publish = Callable[[], None]


@pytest.fixture
def publish(listener: Listener, run_jobs: RunJobs) -> Publish:
    """Return a function that signs what clients are to be told and hands the keys in use to the listener."""

    def publish() -> None:
        assert listener.server
        publishing.start_due(listener.server)
        run_jobs()
        listener.file()

    return publish


@pytest.fixture
def init_file(listener: Listener, publish: Publish, tmp_path: Path) -> Callable[[], bytes]:
    """Return a function that makes a keystead-init.dat with a credential of its own, and returns it."""

    def make() -> bytes:
        assert listener.server
        publish()
        path = tmp_path / "keystead-init.dat"
        path.unlink(missing_ok=True)
        writing.write(path, Wanted(token=listener.server.pk, limits=Limits()), actor=ALICE)
        return path.read_bytes()

    return make


@pytest.fixture
def fleet(listener: Listener, init_file: Callable[[], bytes], tmp_path: Path) -> Fleet:
    """Give a fleet without members yet."""
    return Fleet(tmp_path / "fleet", init_file(), connect=Address(listener.address, listener.port, 0))
