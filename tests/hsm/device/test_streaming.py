"""A listing that is given while it is read is that which is given at the end."""

from collections.abc import Iterator, Sequence
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hsm.device import objectwire, p11describe, p11objects, wire
from hsm.device.base import Pin
from hsm.device.breaker import Breaker
from hsm.device.objects import Listing
from hsm.device.p11describe import CERTIFICATE, CLAIMS, KEY_CLASSES, Claims, Half
from hsm.device.p11objects import Objects
from hsm.device.pool import Pool
from hsm.device.seat import HostKey, Seat
from hsm.device.token import TokenDevice

TOKEN = wire.TokenPart(1, "alpha", "9b29", "", "", "", [])
CLAIMED: Claims = dict.fromkeys(CLAIMS.values(), True)
Kinds = Sequence[tuple[int, str, bytes]]  # class, key type and CKA_ID of each object


class HostInHere(Seat):
    """A seat whose host answers in this process, for a token with these objects; it knows `mark` of the last listing.

    No module is loaded: a token would have to be filled anew for every example.
    """

    def __init__(self, kinds: Kinds, mark: bytes) -> None:
        super().__init__(HostKey("/x.so", ()), Breaker())
        self.logged_in = TOKEN
        self.listed = (mark, "known")
        halves = [Half(n, *kind[:2], 0, kind[2], "k", frozenset(), CLAIMED, None) for n, kind in enumerate(kinds)]
        session: Any = SimpleNamespace(
            handle=0,
            calls=SimpleNamespace(find=lambda *_: range(len(halves))),
            describer=SimpleNamespace(half=lambda _, handle: halves[handle]),
        )
        self._objects = Objects.__new__(Objects)
        self._objects._module, self._objects._session = SimpleNamespace(token_now=lambda: TOKEN), session  # type: ignore[assignment]
        self._replies: Iterator[wire.Reply] = iter(())

    @property
    def running(self) -> bool:
        """Say that the host runs."""
        return True

    def call(self, request: wire.Request, deadline_s: float, *, context: str = "") -> wire.Reply:
        """Give the first frame."""
        assert isinstance(request, objectwire.ReadObjects)
        self._replies = self._objects.read_all(request.known)
        return self.next_part(deadline_s, context=context)

    def next_part(self, deadline_s: float, *, context: str) -> wire.Reply:  # noqa: ARG002
        """Give the next frame."""
        return next(self._replies)


@pytest.fixture(autouse=True)
def _often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(p11describe, "HEARTBEAT", 1)
    monkeypatch.setattr(p11objects, "OBJECTS_PER_FRAME", 2)


def listing(kinds: Kinds, *, mark: bytes = b"", known_digest: str = "") -> Listing:
    return TokenDevice(Pool(), HostInHere(kinds, mark), Pin("1234"), 5).read_all(known_digest)


classes = st.sampled_from([*KEY_CLASSES, CERTIFICATE])
objects = st.tuples(classes, st.sampled_from(["GENERIC_SECRET", "X9_42_DH"]), st.sampled_from([b"", b"a", b"b", b"c"]))


@given(st.lists(objects, max_size=12))
def test_what_is_given_early_and_withdrawn_leaves_the_same_listing(kinds: Kinds) -> None:
    early = listing(kinds)
    late = listing(kinds, mark=b"of another listing", known_digest="known")
    assert (early.objects, early.unmatched, early.digest) == (late.objects, late.unmatched, late.digest)
