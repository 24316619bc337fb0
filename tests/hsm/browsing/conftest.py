"""Groups with virtual keys that no HSM has: the table reads rows only."""

import hashlib
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from console.lib import clock
from console.servers.models import Server
from hsm.models.groups import Group
from hsm.models.objects import SecurityObject

MakeGroup = Callable[..., Group]
MakeKeys = Callable[..., list[SecurityObject]]


@pytest.fixture
def make_group(server: Server) -> MakeGroup:
    def make(title: str, kind: str = "hsm", **other: Any) -> Group:
        return Group.objects.create(
            server=server, title=title, kind=kind, created_at=clock.now(), created_by="alice", **other
        )

    return make


@pytest.fixture
def make_keys() -> MakeKeys:
    """Return a function that makes keys of a group, one second apart, named in the order of their making."""

    def make(group: Group, *names: str, **columns: Any) -> list[SecurityObject]:
        now = clock.now()
        made = [
            SecurityObject(
                **{
                    "group": group,
                    "name": name,
                    "label": name,
                    "family": "key-pair",
                    "spec": "ec-p256",
                    "key_type": "EC",
                    "bits": 256,
                    "key_id": hashlib.sha256(f"{group.pk} {name}".encode()).hexdigest()[:32],
                    "fingerprint": hashlib.sha256(name.encode()).hexdigest(),
                    "operations": ["sign", "verify"],
                    "origin": "found",
                    "state": "active",
                    "created_at": now + timedelta(seconds=number),
                    "created_by": "Sync keys",
                    **columns,
                }
            )
            for number, name in enumerate(names)
        ]
        return SecurityObject.objects.bulk_create(made)

    return make
