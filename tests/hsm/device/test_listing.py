"""A listing in several frames: what the host cuts, the worker joins, all of it or nothing."""

from collections.abc import Iterator

import pytest

from hsm.device import wire
from hsm.device.base import Pin
from hsm.device.breaker import Breaker
from hsm.device.codes import error_for
from hsm.device.errors import DeviceError
from hsm.device.host import Host
from hsm.device.pool import Pool
from hsm.device.seat import HostKey, Seat
from hsm.device.token import TokenDevice

COUNTS = [0, 1, wire.KEYS_PER_FRAME - 1, wire.KEYS_PER_FRAME, wire.KEYS_PER_FRAME + 1, 3 * wire.KEYS_PER_FRAME]
TOKEN = wire.TokenPart(1, "alpha", "9b29", "", "", "", [])


class Listing:
    """Stands for a module with many keys; a real token would take minutes to fill."""

    def __init__(self, count: int) -> None:
        self.count = count

    def list_keys(self) -> list[wire.KeyPart]:
        """Give as many keys as asked for."""
        return [key_part(number) for number in range(self.count)]


class HostInHere(Seat):
    """A seat whose host answers in this process, whatever it is asked; it breaks off after `frames`."""

    def __init__(self, count: int, frames: int | None = None) -> None:
        super().__init__(HostKey("/x.so", ()), Breaker())
        self.logged_in = TOKEN
        self._frames = frames
        host = Host()
        host._module = Listing(count)  # type: ignore[assignment]
        self._replies: Iterator[wire.Reply] = host.answer(wire.ListKeys())

    @property
    def running(self) -> bool:
        """Say that the host runs."""
        return True

    def call(self, request: wire.Request, deadline_s: float, *, context: str = "") -> wire.Reply:  # noqa: ARG002
        """Give the first frame."""
        return next(self._replies)

    def next_part(self, deadline_s: float, *, context: str) -> wire.Reply:  # noqa: ARG002
        """Give the next frame."""
        if self._frames is not None:
            self._frames -= 1
            if self._frames <= 0:
                raise error_for("MODULE_CRASHED")
        return next(self._replies)


def key_part(number: int) -> wire.KeyPart:
    return wire.KeyPart(number.to_bytes(16), "k", True, False, None, True, False, True, True, True)  # noqa: FBT003


def device(seat: Seat) -> TokenDevice:
    return TokenDevice(Pool(), seat, Pin("1234"), 5)


@pytest.mark.parametrize("count", COUNTS)
def test_a_listing_arrives_whole(count: int) -> None:
    listed = [record.key_id for record in device(HostInHere(count)).list_keys()]
    assert listed == [number.to_bytes(16) for number in range(count)]


@pytest.mark.parametrize("frames", [1, 2])
def test_a_listing_that_breaks_off_gives_nothing(frames: int) -> None:
    with pytest.raises(DeviceError):
        device(HostInHere(3 * wire.KEYS_PER_FRAME, frames)).list_keys()
