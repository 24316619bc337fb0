"""The store with an administrator's hand."""

import pytest

from console.lib.actor import Actor, ActorKind

ALICE = Actor(ActorKind.USER, "alice", "1")
BOB = Actor(ActorKind.USER, "bob", "2")


@pytest.fixture
def alice() -> Actor:
    return ALICE


@pytest.fixture
def bob() -> Actor:
    return BOB
