"""Asking the module host of a token: one login, one deadline for each call, one retry where the error class allows."""

import time
from collections.abc import Callable
from typing import TypeVar

from hsm.device import wire
from hsm.device.base import SecretLike, TokenFlag, TokenInfo
from hsm.device.codes import error_for
from hsm.device.errors import WRONG_PINS, DeviceError, ErrorClass
from hsm.device.pool import Pool
from hsm.device.seat import Seat

_R = TypeVar("_R", bound=wire.Reply)
_T = TypeVar("_T")


class TokenCalls:
    """What `TokenDevice` stands on. Lives as long as its `open_token` or `keep_token` block.

    After a failure that ended the host, the next call starts a new one and logs in again, with a PIN that the token
    accepted at the start of the block. `deadline_s` is for each call; all of them end at `until` (time.monotonic()).
    """

    def __init__(
        self, pool: Pool, seat: Seat, pin: SecretLike, deadline_s: float, *, until: float | None = None
    ) -> None:
        self._pool = pool
        self._seat = seat
        self._pin: SecretLike | None = pin
        self._limit_s = deadline_s
        self._until = until

    def token(self) -> TokenInfo:
        """Return the token as it was at login."""
        return token_info(self._login(), self._seat.key.module)

    def close(self) -> None:
        """Forget the PIN; every later call raises."""
        self._pin = None

    @property
    def _deadline_s(self) -> float:
        """How long the next call may take. Raises DeadlineError when no time is left."""
        if self._until is None:
            return self._limit_s
        left_s = self._until - time.monotonic()
        if left_s <= 0:
            raise error_for("DEADLINE")
        return min(self._limit_s, left_s)

    def _once_more(self, act: Callable[[], _T]) -> _T:
        """Act; when the error class allows, once more on a new host and a new login."""
        try:
            return act()
        except DeviceError as error:
            if error.error_class is not ErrorClass.RETRY_NEW_SESSION or error.outcome_unknown:
                raise
        self._seat.drop()
        return act()

    def _ask(self, request: wire.Request, reply_type: type[_R], context: str) -> _R:
        self._login()
        return expect(self._seat.call(request, self._deadline_s, context=context), reply_type)

    def _login(self) -> wire.TokenPart:
        """Log in unless the host is; the token sees the PIN once, and never a PIN that it refused before."""
        if self._pin is None:
            raise error_for("DEVICE_CLOSED")
        seat = self._seat
        if seat.logged_in is not None and seat.running:
            return seat.logged_in
        if self._pool.was_rejected(seat.key):
            raise error_for("PIN_REJECTED_BEFORE")
        request = wire.Login(seat.key.label, seat.key.serial, self._pin.reveal_bytes())
        try:
            reply = expect(seat.call(request, self._deadline_s, context="The login failed."), wire.LoggedIn)
        except DeviceError as error:
            seat.drop()  # a failed login leaves a session behind in the module
            if error.code in WRONG_PINS:
                self._pool.reject(seat.key)
            raise
        seat.logged_in, seat.login_time = reply.token, time.monotonic()
        return reply.token


def token_info(part: wire.TokenPart, module: str) -> TokenInfo:
    """Return a token as the port describes it."""
    return TokenInfo(
        module=module,
        slot_id=part.slot_id,
        label=part.label,
        serial=part.serial,
        manufacturer=part.manufacturer,
        model=part.model,
        firmware=part.firmware,
        flags=frozenset(TokenFlag(flag) for flag in part.flags),
    )


def expect(reply: wire.Reply, reply_type: type[_R]) -> _R:
    """Return the reply as what it should be. Raises DeviceError HOST_PROTOCOL."""
    if not isinstance(reply, reply_type):
        raise error_for("HOST_PROTOCOL")
    return reply
