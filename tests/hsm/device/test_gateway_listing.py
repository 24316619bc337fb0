"""Listings page by page, from a peer that tells them rightly or wrongly."""

import secrets
from collections.abc import Callable, Sequence

import pytest

from hsm.device import gatewaywire as wire
from hsm.device.base import KeyAttributes, KeySpec
from hsm.device.errors import DeviceError
from hsm.device.listing import make_listing
from hsm.device.objects import KeyFamily, Listing, ObjectRecord, Operation, Unmatched
from tests.fixtures.certificates import Authority, Issued
from tests.hsm.device.fakepeer import Exchange, fake_peer
from tests.hsm.device.peercalls import TOKEN, device_of

pytestmark = pytest.mark.usefixtures("no_links")

PAGE = 4
INFO = wire.token_info(TOKEN)
CLAIMS = KeyAttributes(sensitive=True, extractable=False, local=True, never_extractable=True, always_sensitive=True)


def listing_of(count: int) -> Listing:
    records = [
        ObjectRecord(
            KeyFamily.SECRET_KEY, secrets.token_bytes(16), f"key {number}", "AES", 256, KeySpec.AES_256, None,
            has_private=True, has_public=False, operations=frozenset({Operation.ENCRYPT}), attributes=CLAIMS,
            modifiable=True,
        )
        for number in range(count)
    ]  # fmt: skip
    odd = [Unmatched("CKO_DATA", b"", "odd", "It is no key."), Unmatched("CKO_CERTIFICATE", b"1", "", "It has no key.")]
    return make_listing(INFO, records, odd)


class Pages:
    """Answers `list` from one listing after the other: each is told for so many pages, the last one for ever."""

    def __init__(self, *told: tuple[int, Listing], change: Callable[[dict[str, object]], None] | None = None) -> None:
        self.told = list(told)
        self.change = change
        self.pages = 0

    def __call__(self, exchange: Exchange) -> None:
        asked = wire.decode(exchange.request.partition(b"\r\n\r\n")[2], wire.List)
        number, listing = self.told[0]
        if number == 1 and len(self.told) > 1:
            self.told.pop(0)
        else:
            self.told[0] = (number - 1, listing)
        self.pages += 1
        exchange.answer(wire.encode(self._page(asked, listing)))

    def _page(self, asked: wire.List, listing: Listing) -> wire.ListAnswer:
        unchanged = asked.known_digest == listing.digest
        entries: Sequence[object] = () if unchanged else [*listing.objects, *listing.unmatched]
        page = entries[asked.after : asked.after + PAGE]
        fields: dict[str, object] = {
            "token": TOKEN,
            "digest": listing.digest,
            "total": len(entries),
            "objects": [wire.key_part(entry) for entry in page if isinstance(entry, ObjectRecord)],
            "unmatched": [wire.unmatched_part(entry) for entry in page if isinstance(entry, Unmatched)],
            "unchanged": unchanged,
        }
        if self.change is not None:
            self.change(fields)
        return wire.ListAnswer(**fields)  # type: ignore[arg-type]


@pytest.mark.parametrize("count", [0, 1, PAGE, 3 * PAGE + 1])
def test_pages_become_the_listing(authority: Authority, leaf: Issued, count: int) -> None:
    listing, pages = listing_of(count), None
    pages = Pages((999, listing))
    with fake_peer(pages, leaf) as peer:
        assert device_of(peer, authority).read_all() == listing
    assert pages.pages == -(-(count + 2) // PAGE)


def test_a_known_digest_saves_the_pages(authority: Authority, leaf: Issued) -> None:
    listing = listing_of(10)
    pages = Pages((999, listing))
    with fake_peer(pages, leaf) as peer:
        again = device_of(peer, authority).read_all(listing.digest)
    assert (again.unchanged, again.objects, again.unmatched, again.digest) == (True, (), (), listing.digest)
    assert pages.pages == 1


def test_a_token_that_changes_meanwhile_is_listed_anew(authority: Authority, leaf: Issued) -> None:
    before, after = listing_of(10), listing_of(11)
    pages = Pages((2, before), (999, after))
    with fake_peer(pages, leaf) as peer:
        assert device_of(peer, authority).read_all() == after


def test_a_token_that_never_keeps_still_gives_no_listing(authority: Authority, leaf: Issued) -> None:
    pages = Pages(*((1, listing_of(10)) for _ in range(99)))
    with fake_peer(pages, leaf) as peer, pytest.raises(DeviceError) as caught:
        device_of(peer, authority).read_all()
    assert caught.value.code == "LISTING_CHANGED"
    assert pages.pages == 6


LIES: dict[str, tuple[Callable[[dict[str, object]], None], str]] = {
    "a wrong digest": (lambda page: page.update(digest="0" * 64), "LISTING_PARTIAL"),
    "more promised than told": (lambda page: page.update(total=99), "LISTING_PARTIAL"),
    "less promised than told": (lambda page: page.update(total=3), "LISTING_PARTIAL"),
    "an entry left out": (lambda page: page.update(objects=[]), "LISTING_PARTIAL"),
    "more than any token has": (lambda page: page.update(total=10**12), "GATEWAY_TOO_LARGE"),
    "unchanged, though nothing is known": (lambda page: page.update(unchanged=True), "GATEWAY_GARBAGE"),
}


@pytest.mark.parametrize(("change", "code"), LIES.values(), ids=LIES)
def test_what_does_not_fit_is_no_listing(
    authority: Authority, leaf: Issued, change: Callable[[dict[str, object]], None], code: str
) -> None:
    with fake_peer(Pages((999, listing_of(2)), change=change), leaf) as peer, pytest.raises(DeviceError) as caught:
        device_of(peer, authority).read_all()
    assert caught.value.code == code


def test_a_gateway_that_leaves_half_way_leaves_no_half_listing(authority: Authority, leaf: Issued) -> None:
    pages = Pages((999, listing_of(10)))
    with fake_peer(pages, leaf) as peer:

        def leaves(exchange: Exchange) -> None:
            pages(exchange)
            peer.close()
            raise EOFError

        peer.behaviour = leaves
        with pytest.raises(DeviceError) as caught:
            device_of(peer, authority).read_all()
    assert caught.value.code in ("GATEWAY_REFUSED", "GATEWAY_LOST")
