"""A server with two roots, and clients as they stand after the fact."""

from collections.abc import Callable

import pytest

from console.servers.models import Server
from keys.models.root import Root
from tests.trust import rows
from trust.models.clients import Client

MakeClients = Callable[..., list[Client]]


@pytest.fixture
def old(server: Server) -> Root:
    return rows.root(server, 0)


@pytest.fixture
def new(server: Server, old: Root) -> Root:
    return rows.root(server, 1)


@pytest.fixture
def make_clients(server: Server) -> MakeClients:
    """Return a function that makes clients with these names, seen just now."""

    def make(*names: str, **columns: object) -> list[Client]:
        return [rows.client(server, name, **columns) for name in names]

    return make
