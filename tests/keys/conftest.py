"""Fixtures of the key tests: a server whose pki.db exists, and roots made the way the product makes them."""

from collections.abc import Callable

import pytest

from console.lib.actor import Actor, ActorKind
from console.servers.models import Server
from hsm.device.local import LocalStore
from keys import keystore, roots
from keys.models.root import Root

ALICE = Actor(ActorKind.USER, "alice", "1")


@pytest.fixture
def key_server(server: Server, settings: object) -> Server:
    """This server, with an empty pki.db."""
    LocalStore.create(settings.PKI_DATABASE, keystore.sealing_opener())  # type: ignore[attr-defined]
    return server


@pytest.fixture
def make_root(key_server: Server, run_jobs: Callable[..., list[object]]) -> Callable[..., Root]:
    """Make the next root through a request and its jobs, the subordinate keys and cross-certificates included."""

    def make(*, in_doubt: bool = False) -> Root:
        import uuid

        root, _ = roots.request(actor=ALICE, form_token=uuid.uuid4(), in_doubt=in_doubt)
        run_jobs()
        root.refresh_from_db()
        return root

    return make
