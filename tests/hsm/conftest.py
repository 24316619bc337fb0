"""Settings that lead to a real SoftHSM2 token."""

from collections.abc import Callable

import pytest

from console.lib.actor import Actor, ActorKind
from console.servers.models import Server
from settings_store import store
from settings_store.values import effective
from tests.fixtures.softhsm import SoftHsm, Token

ALICE = Actor(ActorKind.USER, "alice", "1")
TYPES = {
    "HSMModulePath": "Text",
    "UseHSM": "Numeric",
    "HSMPassword": "Protected",
    "HSMTokenName": "Text",
    "HSMTokenID": "Numeric",
}

Put = Callable[[str, object], None]


@pytest.fixture
def put(server: Server) -> Put:
    """Set one HSM setting, as an administrator would: add it, or change it."""

    def put(name: str, value: object) -> None:
        row = effective(name).row
        if row:
            store.change(name, str(value), scope="Local", seen=row.token, actor=ALICE)
        else:
            value_type = TYPES[name.rsplit(".", 1)[-1]]
            store.add(name, str(value), scope="Local", value_type=value_type, actor=ALICE)

    return put


@pytest.fixture
def token(softhsm: SoftHsm) -> Token:
    return softhsm.token("alpha", pin="1234")


@pytest.fixture
def integrated(put: Put, token: Token) -> Token:
    """Both keys on one token."""
    point_to(put, token)
    return token


def point_to(put: Put, token: Token, *keys: str) -> None:
    """Make the settings of these keys (of both) lead to a token, with its PIN."""
    put("HSMModulePath", token.module)
    for key in keys or ("Root", "MessageSigning"):
        put(f"Keys.{key}.UseHSM", 1)
        put(f"Keys.{key}.HSMPassword", token.pin)
        put(f"Keys.{key}.HSMTokenName", token.label)
