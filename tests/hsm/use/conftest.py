"""Rows of keys; what lies behind them is made by the tests that need it."""

import secrets
from collections.abc import Callable
from typing import Any

import pytest

from console.lib import clock
from console.servers.models import Server
from hsm.connections.opening import open_group
from hsm.device.base import KeySpec
from hsm.device.objects import operations_of, ordered
from hsm.models.groups import Group, GroupKind
from hsm.models.objects import Family, ObjectState, Origin, SecurityObject

MakeKey = Callable[..., SecurityObject]


@pytest.fixture
def group(server: Server) -> Group:
    """Return a software group."""
    return Group.objects.create(
        server=server, title="Payroll", kind=GroupKind.SOFTWARE, created_at=clock.now(), created_by="alice"
    )


@pytest.fixture
def make_key(group: Group) -> MakeKey:
    """Return a function that writes the row of an active key, permitted everything that its kind can."""

    def make(spec: KeySpec = KeySpec.EC_P256, **values: Any) -> SecurityObject:
        defaults: dict[str, Any] = {
            "group": group,
            "name": f"payments {spec.value}",
            "family": Family.SECRET_KEY if spec.is_aes else Family.KEY_PAIR,
            "spec": spec,
            "key_type": spec.value.partition("-")[0].upper(),
            "bits": spec.bits,
            "key_id": secrets.token_hex(16),
            "operations": [operation.value for operation in ordered(operations_of(spec))],
            "origin": Origin.GENERATED,
            "state": ObjectState.ACTIVE,
            "created_at": clock.now(),
            "created_by": "alice",
        }
        return SecurityObject.objects.create(**(defaults | values))

    return make


@pytest.fixture
def make_real_key(make_key: MakeKey, _tasks: None) -> MakeKey:
    """Return a function that makes an active key with a real key behind it, where its group keeps its keys."""

    def make(spec: KeySpec = KeySpec.EC_P256, **values: Any) -> SecurityObject:
        key = make_key(spec, **values)
        with open_group(key.group) as device:
            record = device.generate(key.cka_id, spec, key.name, operations_of(spec))
        key.spki_der = record.spki_der
        key.save(update_fields=["spki_der"])
        return key

    return make
