"""Listings in pages: the last listing of each slot is kept for a moment, so that the next page costs no reading."""

import threading
import time
from dataclasses import dataclass

from hsm.device.gatewaywire import (
    PAGE_BYTES,
    PAGE_ENTRIES,
    KeyPart,
    List,
    ListAnswer,
    TokenPart,
    UnmatchedPart,
    encode,
    key_part,
    token_part,
    unmatched_part,
)
from hsm.device.objects import Listing
from hsm.device.token import TokenDevice

KEPT_S = 60.0


@dataclass(frozen=True)
class _Kept:
    token: TokenPart
    digest: str
    entries: list[KeyPart | UnmatchedPart]
    until: float


class Listings:
    """What pages are cut from. Safe for several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: dict[tuple[str, str], _Kept] = {}

    def page(self, device: TokenDevice, request: List) -> ListAnswer:
        """Return the page that was asked for; the first one is read from the token, always. Raises DeviceError."""
        token = device.token()
        place = (token.label, token.serial)
        self._drop_old()
        kept = self._kept.get(place) if request.after and request.digest else None
        if kept is None or kept.digest != request.digest:
            listing = device.read_all("" if request.after else request.known_digest)
            kept = _keep(listing)
            if listing.unchanged:
                return _page(kept, 0, unchanged=True)
        answer = _page(kept, request.after)
        with self._lock:
            if request.after + len(answer.objects) + len(answer.unmatched) < answer.total:
                self._kept[place] = kept
            else:
                self._kept.pop(place, None)
        return answer

    def _drop_old(self) -> None:
        now = time.monotonic()
        with self._lock:
            for place in [place for place, kept in self._kept.items() if kept.until < now]:
                del self._kept[place]


def _keep(listing: Listing) -> _Kept:
    entries: list[KeyPart | UnmatchedPart] = [*map(key_part, listing.objects), *map(unmatched_part, listing.unmatched)]
    return _Kept(token_part(listing.token), listing.digest, entries, time.monotonic() + KEPT_S)


def _page(kept: _Kept, after: int, *, unchanged: bool = False) -> ListAnswer:
    objects: list[KeyPart] = []
    unmatched: list[UnmatchedPart] = []
    size = 0
    for entry in kept.entries[after : after + PAGE_ENTRIES]:
        size += len(encode(entry))
        if size > PAGE_BYTES and (objects or unmatched):
            break
        if isinstance(entry, KeyPart):
            objects.append(entry)
        else:
            unmatched.append(entry)
    return ListAnswer(
        token=kept.token,
        digest=kept.digest,
        total=len(kept.entries),
        objects=objects,
        unmatched=unmatched,
        unchanged=unchanged,
    )
