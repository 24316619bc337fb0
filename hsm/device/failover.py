"""When another connection of a group takes over: the whole policy, and what is remembered of each connection.

A connection whose device failed rests, and serves again only after it has proved itself (`ObjectDevice.probe`); while
it rests it is asked for proof after 5 s, then ever more seldom, at most once a minute. A PIN that a token refused is
never tried again: its connection is left alone until it has another key, which changes with the version of the PIN.
"""

import random
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from enum import Enum, auto

from hsm.device.breaker import Breaker
from hsm.device.errors import DeviceError, ErrorClass, ModuleError, PinError, TokenNotFoundError

WRONG_PINS = frozenset({"CKR_PIN_INCORRECT", "CKR_PIN_INVALID", "CKR_PIN_LEN_RANGE"})
FIRST_PAUSE_S, LONGEST_PAUSE_S = 5.0, 60.0
MAX_REFUSALS = 1000


class Verdict(Enum):
    """What a failed call says about its connection."""

    ANSWERED = auto()  # the device answered, and another connection would answer the same
    ELSEWHERE = auto()  # this connection cannot serve now; another one may
    NEVER_AGAIN = auto()  # the token refused the PIN of this connection


def verdict(error: DeviceError) -> Verdict:
    """Say whether another connection may be asked.

    It may when the device or the way to it failed, and when this connection does not lead to the token: no such slot,
    no module, no PIN that works. A refused operation is never asked for elsewhere.
    """
    if error.code in WRONG_PINS:
        return Verdict.NEVER_AGAIN
    if error.error_class is ErrorClass.DEVICE or isinstance(error, PinError | TokenNotFoundError | ModuleError):
        return Verdict.ELSEWHERE
    return Verdict.ANSWERED


def pause_s(failures: int) -> float:
    """Return how long a connection rests: doubling, with jitter so that many workers do not come at once."""
    pause = min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2.0 ** min(failures - 1, 10))
    return pause * random.uniform(0.8, 1.0)  # noqa: S311 - no secret depends on it


class Health:
    """What this process knows of connections, each by its key."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._breaker = Breaker(clock, limit=1, pause_s=pause_s)
        self._refused: OrderedDict[Hashable, DeviceError] = OrderedDict()

    def refusal(self, key: Hashable) -> DeviceError | None:
        """Return the error with which the token refused the PIN, if it ever did."""
        return self._refused.get(key)

    def rests(self, key: Hashable) -> bool:
        """Say whether the connection failed and has not proved itself since."""
        return self._breaker.is_open(key)

    def wait_s(self, key: Hashable) -> float:
        """Return for how long a resting connection is not even asked for proof, while others serve."""
        return self._breaker.wait_s(key)

    def failed(self, key: Hashable, error: DeviceError) -> None:
        """Remember a failed call; one that the device answered shows that it works."""
        what = verdict(error)
        if what is Verdict.ELSEWHERE:
            self._breaker.failed(key)
        elif what is Verdict.NEVER_AGAIN:
            self._refused[key] = error
            while len(self._refused) > MAX_REFUSALS:
                self._refused.popitem(last=False)

    def worked(self, key: Hashable) -> None:
        """Remember that the connection serves."""
        self._breaker.worked(key)

    def forget(self) -> None:
        """Start anew."""
        self._breaker = Breaker(self._clock, limit=1, pause_s=pause_s)
        self._refused.clear()


health = Health()
