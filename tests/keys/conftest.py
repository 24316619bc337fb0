"""Fixtures of the key tests: roots made the way the product makes them."""

import uuid
from collections.abc import Callable
from typing import Any

import pytest

from console.lib.actor import Actor, ActorKind
from console.servers.models import Server
from keys import roots
from keys.models.root import Root

ALICE = Actor(ActorKind.USER, "alice", "1")
BOB = Actor(ActorKind.USER, "bob", "2")


@pytest.fixture
def make_root(server: Server, run_jobs: Callable[..., list[Any]]) -> Callable[..., Root]:
    """Make the next root through a request and its jobs, the subordinate keys and cross-certificates included."""

    def make(*, in_doubt: bool = False) -> Root:
        root, _ = roots.request(actor=ALICE, form_token=uuid.uuid4(), in_doubt=in_doubt)
        run_jobs()
        root.refresh_from_db()
        return root

    return make


@pytest.fixture
def use_token(server: Server) -> Callable[..., None]:
    """Point the settings of a key (`Root`, `MessageSigning`) to a token, as an administrator does."""
    from settings_store import store
    from settings_store.models import Scope, ValueType

    def put(name: str, typed: str, value_type: ValueType) -> None:
        from settings_store.models import Setting

        found = Setting.objects.filter(name=name, server=server).first()
        if found:
            store.change(name, typed, scope=Scope.LOCAL, seen=found.token, actor=ALICE)
        else:
            store.add(name, typed, scope=Scope.LOCAL, value_type=value_type, actor=ALICE)

    def use(token: Any, *keys: str) -> None:
        put("HSMModulePath", token.module, ValueType.TEXT)
        for key in keys or ("Root", "MessageSigning"):
            put(f"Keys.{key}.UseHSM", "1", ValueType.NUMERIC)
            put(f"Keys.{key}.HSMTokenName", token.label, ValueType.TEXT)
            put(f"Keys.{key}.HSMPassword", token.pin, ValueType.PROTECTED)

    return use


@pytest.fixture
def move_clock(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Move the clock ahead of the real one, by what timedelta takes."""
    from datetime import timedelta

    from console.lib import clock

    real = clock.now

    def move(**by: float) -> None:
        monkeypatch.setattr("console.lib.clock.now", lambda: real() + timedelta(**by))

    return move
