"""Which PIN may be shown to which token (docs/gateway-protocol.md, PINs).

Tokens lock after a few wrong PINs, and a module that is logged in does not notice a wrong one. So the PIN that logged
in is known by a keyed hash, and whoever sends it is let in without asking the token; any other PIN has one try.
"""

import hashlib
import hmac
import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, field

from hsm.device import opening
from hsm.device.base import Pin, TokenFlag, TokenInfo
from hsm.device.codes import error_for
from hsm.device.errors import WRONG_PINS, DeviceError, PinError
from hsm.device.token import TokenDevice
from hsm.gateway.faults import GatewayError, known_to_be_wrong
from hsm.gateway.ledger import Ledger

TRY_S = 30.0  # whoever tries an unknown PIN keeps others with unknown PINs waiting no longer than that
MAX_WRONG = 10_000  # more than the ledger lets through in a hundred days

# Before the token could see the PIN: its try is given back. After any other error nobody knows.
NEVER_SEEN = frozenset(
    {
        "BREAKER_OPEN",
        "HOST_NOT_STARTED",
        "MODULE_CRASHED_ON_LOAD",
        "MODULE_NOT_FOUND",
        "MODULE_NOT_PKCS11",
        "TOKEN_AMBIGUOUS",
        "TOKEN_BUSY",
        "TOKEN_CHANGED",
        "TOKEN_MISMATCH",
        "TOKEN_NOT_FOUND",
        "CKR_SLOT_ID_INVALID",
        "CKR_TOKEN_NOT_PRESENT",
        "CKR_TOKEN_NOT_RECOGNIZED",
    }
)


@dataclass
class _Known:
    """What is known about the PINs of one token."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    right: str = ""
    wrong: OrderedDict[str, None] = field(default_factory=OrderedDict)


class Pins:
    """Opens tokens for requests. Safe for several threads."""

    def __init__(self, module: str, ledger: Ledger) -> None:
        self._module = module
        self._ledger = ledger
        self._key = secrets.token_bytes(32)
        self._lock = threading.Lock()
        self._known: dict[tuple[str, str], _Known] = {}

    @contextmanager
    def open(
        self, token: TokenInfo, pin: str, until: float, check: Callable[[], None] = lambda: None
    ) -> Iterator[TokenDevice]:
        """Yield the token as a Device, logged in, for this request alone. Raises DeviceError.

        `until` is the request's end on the monotonic clock. `check` is called before the PIN is tried and before the
        block, so that nothing is begun for a client that has left.
        """
        known, mark = self._of(token), self._mark(token, pin)
        if not hmac.compare_digest(known.right, mark):
            self._verify(token, known, pin, mark, until, check)
        try:
            with self._keep(token, pin, mark, until) as device:
                check()
                yield device
        except PinError as error:
            # The host was lost, and the token no longer takes the PIN that it took before.
            self._refused(token, known, mark, error)
            raise

    def kept(self, token: TokenInfo) -> str:
        """Return the mark of the login that stands now, or an empty text."""
        mark = self._of(token).right
        stands = bool(mark) and opening.is_kept(self._module, label=token.label, serial=token.serial, pin_version=mark)
        return mark if stands else ""

    @contextmanager
    def borrow(self, token: TokenInfo, mark: str, until: float) -> Iterator[TokenDevice]:
        """Yield the token on a login that stands, without a PIN. Raises DeviceError, PIN_EMPTY when it was lost."""
        with self._keep(token, "", mark, until) as device:
            yield device

    def _verify(
        self, token: TokenInfo, known: _Known, pin: str, mark: str, until: float, check: Callable[[], None]
    ) -> None:
        """Try a PIN that is not known to be right, once. Raises DeviceError."""
        until = min(until, time.monotonic() + TRY_S)
        if not known.lock.acquire(timeout=max(0.0, until - time.monotonic())):
            raise error_for("TOKEN_BUSY")
        try:
            if hmac.compare_digest(known.right, mark):
                return  # another request with this PIN was first
            if mark in known.wrong:
                raise known_to_be_wrong()
            self._ledger.refuse_early(token.label, token.serial)
            check()
            self._refuse_risk(token, until)
            self._try(token, known, pin, mark, until)
        finally:
            known.lock.release()

    def _refuse_risk(self, token: TokenInfo, until: float) -> None:
        """Ask the token how it stands, without a PIN, so that a dead one costs no try."""
        now = opening.probe_token(self._module, label=token.label, serial=token.serial, deadline_s=_left(until))
        if TokenFlag.USER_PIN_LOCKED in now.flags:
            raise error_for("PIN_LOCKED")
        if TokenFlag.USER_PIN_FINAL_TRY in now.flags:
            raise error_for("PIN_FINAL_TRY")

    def _try(self, token: TokenInfo, known: _Known, pin: str, mark: str, until: float) -> None:
        # A login by a former PIN, which `_end` has not ended yet, proves nothing about that PIN now.
        opening.forget_token(self._module, label=token.label, serial=token.serial, pin_version=mark)
        self._ledger.claim(token.label, token.serial)
        try:
            with self._keep(token, pin, mark, until) as device:
                device.token()
        except PinError as error:
            if not error.attempted:
                self._ledger.give_back(token.label, token.serial)
            elif error.code in WRONG_PINS:
                _remember(known, mark)
            raise
        except DeviceError as error:
            if error.code in NEVER_SEEN:
                self._ledger.give_back(token.label, token.serial)
            raise
        former, known.right = known.right, mark
        self._ledger.give_back(token.label, token.serial)
        if former:
            self._end(token, former)

    def _refused(self, token: TokenInfo, known: _Known, mark: str, error: PinError) -> None:
        if not error.attempted:
            return
        with self._lock:
            if known.right == mark:
                known.right = ""
            if error.code in WRONG_PINS:
                _remember(known, mark)
        with suppress(GatewayError):  # a try counts already, or it cannot be written down
            self._ledger.claim(token.label, token.serial)

    def _end(self, token: TokenInfo, mark: str) -> None:
        """End the login by a former PIN, once its last call is done."""
        end = {"label": token.label, "serial": token.serial, "pin_version": mark}
        threading.Thread(target=opening.forget_token, args=(self._module,), kwargs=end, daemon=True).start()

    def _keep(self, token: TokenInfo, pin: str, mark: str, until: float) -> AbstractContextManager[TokenDevice]:
        return opening.keep_token(
            self._module,
            label=token.label,
            serial=token.serial,
            pin=Pin(pin),
            pin_version=mark,
            deadline_s=_left(until),
        )

    def _mark(self, token: TokenInfo, pin: str) -> str:
        parts = (token.label.encode("utf-8", "surrogatepass"), token.serial.encode("utf-8", "surrogatepass"))
        text = b"".join(len(part).to_bytes(4, "big") + part for part in parts) + pin.encode()
        return hmac.new(self._key, text, hashlib.sha256).hexdigest()

    def _of(self, token: TokenInfo) -> _Known:
        with self._lock:
            return self._known.setdefault((token.label, token.serial), _Known())


def _remember(known: _Known, mark: str) -> None:
    known.wrong[mark] = None
    while len(known.wrong) > MAX_WRONG:
        known.wrong.popitem(last=False)


def _left(until: float) -> float:
    left_s = until - time.monotonic()
    if left_s <= 0:
        raise error_for("DEADLINE")
    return left_s
