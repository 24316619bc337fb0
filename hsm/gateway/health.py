"""Whether a load balancer may send requests here (AMB-25): 204 when every served slot is healthy, else 500.

A request that fails by a fault of the server's side marks its slot; the next success on it clears the mark. Each
health call sends a cheap probe to each slot, and answers for the marks that it found as well as for its probes: so
every fault shows at least once, and is gone once the HSM has proved that it serves.
"""

import logging
import threading
import time
from concurrent.futures import Future

from hsm.device import opening
from hsm.device.base import TokenInfo
from hsm.device.errors import DeviceError, PinError, TokenNotFoundError
from hsm.gateway.pins import Pins
from hsm.gateway.slots import Slots

log = logging.getLogger("keystead.gateway")

PROBE_S = 3.0
LOST_MODULE = frozenset(
    {
        "DEADLINE",
        "HOST_NOT_STARTED",
        "HOST_PROTOCOL",
        "MODULE_CRASHED",
        "MODULE_CRASHED_ON_LOAD",
        "MODULE_NOT_FOUND",
        "MODULE_NOT_PKCS11",
    }
)
SERVER_SIDE = LOST_MODULE | {
    "CKR_DEVICE_ERROR",
    "CKR_DEVICE_REMOVED",
    "CKR_DEVICE_MEMORY",
    "CKR_TOKEN_NOT_PRESENT",
    "CKR_TOKEN_NOT_RECOGNIZED",
    "CKR_GENERAL_ERROR",
    "CKR_FUNCTION_FAILED",
    "CKR_HOST_MEMORY",
}
# Of a probe, which asks for a token that was there: it is not, or the device failed a moment ago.
ABSENT = frozenset({"TOKEN_NOT_FOUND", "TOKEN_CHANGED", "CKR_SLOT_ID_INVALID", "BREAKER_OPEN"})


class Health:
    """The marks of the slots. Safe for several threads."""

    def __init__(self, module: str, slots: Slots, pins: Pins) -> None:
        self._module = module
        self._slots = slots
        self._pins = pins
        self._lock = threading.Lock()
        self._marks: dict[int, str] = {}
        self._busy: dict[int, int] = {}
        self._running: Future[bool] | None = None

    def begin(self, slot: int) -> None:
        """Note that a request uses the slot."""
        with self._lock:
            self._busy[slot] = self._busy.get(slot, 0) + 1

    def end(self, slot: int, error: DeviceError | None) -> None:
        """Note how the request ended."""
        with self._lock:
            self._busy[slot] -= 1
        if error is None:
            self._clear(slot)
        elif error.code in SERVER_SIDE:
            self._mark(slot, error.code)

    def check(self) -> bool:
        """Return whether every served slot is healthy, after a probe of each; callers at the same time share one."""
        with self._lock:
            mine = self._running is None
            running = self._running = self._running or Future()
        if mine:
            try:
                running.set_result(self._check())
            except BaseException:
                running.set_result(False)
                raise
            finally:
                with self._lock:
                    self._running = None
        return running.result(timeout=10 * PROBE_S)

    def _check(self) -> bool:
        before = dict(self._marks)
        try:
            served = self._slots.served(time.monotonic() + PROBE_S)
        except DeviceError as error:
            log.warning("health: the slots cannot be read: %s", error.code)
            return False
        good = True
        for slot, token in served.items():
            code = self._probe(slot, token)
            if not code:
                self._clear(slot)
            elif code in SERVER_SIDE or code in ABSENT:
                self._mark(slot, code)
            good = good and slot not in before and slot not in self._marks
        return good

    def _probe(self, slot: int, token: TokenInfo | None) -> str:
        """Return the code of what is wrong, or an empty text."""
        if token is None:
            return "CKR_TOKEN_NOT_PRESENT"
        until = time.monotonic() + PROBE_S
        try:
            if not self._probe_login(slot, token, until):
                opening.probe_token(self._module, label=token.label, serial=token.serial, deadline_s=PROBE_S)
        except TokenNotFoundError as error:
            self._slots.forget()
            return error.code
        except DeviceError as error:
            return error.code
        return ""

    def _probe_login(self, slot: int, token: TokenInfo, until: float) -> bool:
        """Probe the login that stands, unless requests are using it: they tell more than a probe, and later.

        Return whether there was such a login; a busy token is probed without one.
        """
        mark = self._pins.kept(token)
        if not mark or self._busy.get(slot):
            return False
        try:
            with self._pins.borrow(token, mark, until) as device:
                device.probe()
        except PinError:
            return False
        return True

    def _mark(self, slot: int, code: str) -> None:
        with self._lock:
            former = self._marks.get(slot)
            self._marks[slot] = code
        if former != code:
            log.warning("health: slot %d is unhealthy: %s", slot, code)

    def _clear(self, slot: int) -> None:
        with self._lock:
            former = self._marks.pop(slot, None)
        if former is not None:
            log.warning("health: slot %d is healthy again", slot)
