"""Where software groups keep their keys: this server's pki.db. Worker only.

The app that owns pki.db stands above this one and registers how it is opened, in its worker-only module.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

from hsm.device.local import LocalStore

Opener = Callable[[], AbstractContextManager[LocalStore]]
_openers: list[Opener] = []


def register(opener: Opener) -> None:
    """Say how pki.db is opened; the last one counts."""
    _openers[:] = [opener]


@contextmanager
def open_store() -> Iterator[LocalStore]:
    """Yield this server's pki.db. Raises DeviceError."""
    with _openers[0]() as store:
        yield store
