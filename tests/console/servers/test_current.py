"""Which server this is."""

import pytest
from django.test import override_settings

from console.lib.errors import ConflictError, InvalidError, UnavailableError
from console.lib.sealingpair import SealingPair
from console.servers.current import current, ensure

pytestmark = pytest.mark.django_db


def test_the_row_is_made_once() -> None:
    public = SealingPair.generate().public
    server = ensure("ts9.example.com", public)
    assert ensure("ts9.example.com", public) == server
    assert server.queue == "server.ts9.example.com"


def test_another_sealing_pair_is_refused() -> None:
    ensure("ts9.example.com", SealingPair.generate().public)
    with pytest.raises(ConflictError):
        ensure("ts9.example.com", SealingPair.generate().public)


@pytest.mark.parametrize(
    "name", ["", "a b", "-a.example.com", "a..b", "x" * 64 + ".example.com", "ä.example.com", "a" * 254]
)
def test_a_name_that_is_no_host_name_is_refused(name: str) -> None:
    with pytest.raises(InvalidError):
        ensure(name, SealingPair.generate().public)


@override_settings(SERVER_NAME="nobody.example.com")
def test_a_server_that_is_not_set_up_says_so() -> None:
    with pytest.raises(UnavailableError, match="not set up"):
        current()
