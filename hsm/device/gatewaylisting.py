"""A listing through a gateway: its pages, put together and checked."""

from hsm.device import gatewaywire as wire
from hsm.device.codes import error_for
from hsm.device.gatewaycalls import GatewayCalls
from hsm.device.listing import digest_of
from hsm.device.objects import Listing, ObjectRecord, Unmatched

ATTEMPTS = 3
MAX_ENTRIES = 1_000_000


def read_listing(calls: GatewayCalls, known_digest: str) -> Listing:
    """Return every object of the token. Raises DeviceError LISTING_CHANGED when the token does not keep still.

    Any gateway may serve any page: that all are of one listing is told by its digest, which is computed anew at the
    end. What does not fit is an error, never a part of a listing.
    """
    for _attempt in range(ATTEMPTS):
        listing = _read(calls, known_digest)
        if listing is not None:
            return listing
    raise error_for("LISTING_CHANGED")


def _read(calls: GatewayCalls, known_digest: str) -> Listing | None:
    """Return the listing, or None when the token changed meanwhile."""
    objects: list[ObjectRecord] = []
    unmatched: list[Unmatched] = []
    page = calls.ask("list", wire.List, wire.ListAnswer, {"known_digest": known_digest})
    digest, token = page.digest, wire.token_info(page.token)
    if page.unchanged:
        if not known_digest or digest != known_digest:
            raise error_for("GATEWAY_GARBAGE")
        return Listing(token, (), (), digest, unchanged=True)
    if page.total > MAX_ENTRIES:
        raise error_for("GATEWAY_TOO_LARGE")
    while True:
        objects += [wire.object_record(part) for part in page.objects]
        unmatched += [wire.unmatched(part) for part in page.unmatched]
        count = len(objects) + len(unmatched)
        if count >= page.total:
            break
        if not page.objects and not page.unmatched:
            raise error_for("LISTING_PARTIAL")
        page = calls.ask("list", wire.List, wire.ListAnswer, {"after": count, "digest": digest})
        if page.digest != digest:
            return None
    if count != page.total or digest_of(objects, unmatched) != digest:
        raise error_for("LISTING_PARTIAL")
    return Listing(token, objects, unmatched, digest)
