"""Listings in pages, from any gateway of a token, and what they do when the token changes in between."""

import secrets
from typing import Any

import pytest

from hsm.device import gatewaywire as wire
from hsm.device.base import KeySpec, Pin
from hsm.device.objects import Operation
from hsm.device.opening import close_all, open_token
from hsm.gateway import listings
from tests.hsm.device.tokens import SOFTHSM
from tests.hsm.gateway.conftest import Served

KEYS = 7


@pytest.fixture(scope="module")
def filled(served: Served) -> Served:
    """Return the gateway with a few secret keys on its token, made on the token itself."""
    token = served.token
    with open_token(
        SOFTHSM,
        label=token.label,
        serial=token.serial,
        pin=Pin(token.pin),
        pin_version="1",
        environment=served.farm.environment,
    ) as device:
        for _ in range(KEYS):
            device.generate(secrets.token_bytes(16), KeySpec.AES_128, "listed", frozenset({Operation.ENCRYPT}))
    close_all()
    return served


def test_one_page(filled: Served) -> None:
    with filled.client() as client:
        page = client.ask("list").body
        assert page["total"] == len(page["objects"]) + len(page["unmatched"]) == KEYS
        assert page["unchanged"] is False
        ids = [(item["family"], item["key_id"]) for item in page["objects"]]
        assert len(set(ids)) == KEYS
        again = client.ask("list", known_digest=page["digest"]).body
        assert (again["unchanged"], again["objects"], again["digest"]) == (True, [], page["digest"])
        other = client.ask("list", known_digest="0" * 64).body
        assert other["objects"] == page["objects"]


def test_later_pages_are_whole_whoever_serves_them(filled: Served) -> None:
    """A page after the first one comes without the snapshot of another gateway: after=3 is enough."""
    with filled.client() as client:
        whole = client.ask("list").body
        part = client.ask("list", after=3, digest=whole["digest"]).body
        assert part["objects"] == whole["objects"][3:]
        assert part["digest"] == whole["digest"]
        assert client.ask("list", after=KEYS, digest=whole["digest"]).body["objects"] == []


def test_a_changed_token_shows_in_the_digest_of_the_page(filled: Served) -> None:
    key_id = secrets.token_bytes(16)
    with filled.client() as client:
        first = client.ask("list").body
        client.ask("generate", key_id=key_id, spec="aes-128", key_label="", operations=["encrypt"])
        second = client.ask("list", after=3, digest=first["digest"]).body
        assert second["digest"] != first["digest"]
        client.ask("remove", family="secret-key", key_id=key_id)
        assert client.ask("list").body["digest"] == first["digest"]


def test_pages_are_cut_by_number_and_by_size(filled: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    """Against the same token, in this process, with small limits."""
    token = filled.token
    with open_token(
        SOFTHSM,
        label=token.label,
        serial=token.serial,
        pin=Pin(token.pin),
        pin_version="1",
        environment=filled.farm.environment,
    ) as device:
        for name, value, expected in (("PAGE_ENTRIES", 3, [3, 3, 1]), ("PAGE_BYTES", 500, [1] * KEYS)):
            with monkeypatch.context() as patch:
                patch.setattr(listings, name, value)
                pages = _all_pages(listings.Listings(), device)
            assert [len(page.objects) for page in pages] == expected
            assert sum(len(page.objects) for page in pages) == pages[0].total
            assert {page.digest for page in pages} == {pages[0].digest}
    close_all()


def _all_pages(store: listings.Listings, device: Any) -> list[wire.ListAnswer]:
    pages: list[wire.ListAnswer] = []
    after = 0
    while not pages or after < pages[0].total:
        digest = pages[0].digest if pages else ""
        page = store.page(device, wire.List(slot=1, pin="", deadline_ms=1000, after=after, digest=digest))
        pages.append(page)
        after += len(page.objects) + len(page.unmatched)
    return pages
