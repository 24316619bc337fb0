"""A server in memory with a client that has begun; `test_legacy` and the tests over real TLS have other servers."""

from pathlib import Path

import pytest

from tests.trust.agent.reference import Clock, Server, Wire, begin
from trust.agent.agent import Agent


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def server(clock: Clock) -> Server:
    return Server(clock)


@pytest.fixture
def wire(server: Server) -> Wire:
    return Wire(server)


@pytest.fixture
def agent(tmp_path: Path, server: Server, wire: Wire) -> Agent:
    return begin(tmp_path, server, wire)
