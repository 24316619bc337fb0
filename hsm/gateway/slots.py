"""Which slots this gateway serves, and which token is in each of them now."""

import threading
import time
from collections.abc import Sequence

from hsm.device import opening
from hsm.device.base import TokenInfo
from hsm.device.codes import error_for
from hsm.gateway.config import ConfigError
from hsm.gateway.faults import not_served

AT_MOST_EVERY_S = 2.0  # nobody makes us ask the module more often than that
LISTING_S = 10.0
START_S = 30.0


class Slots:
    """The table of served slots. Safe for several threads."""

    def __init__(self, module: str, slots: Sequence[int]) -> None:
        self._module = module
        self._configured = tuple(slots)
        self._lock = threading.Lock()
        self._tokens: dict[int, TokenInfo] | None = None
        self._only: tuple[str, str] | None = None
        self._read_at = float("-inf")

    def find(self, slot: int, label: str, serial: str, until: float) -> TokenInfo:
        """Return the token that a request means. Raises DeviceError: not served, none there, another one."""
        is_named = bool(label and serial)
        if self._configured and slot not in self._configured and not is_named:
            raise not_served(slot)
        for anew in (False, True):
            tokens = self._table(until, anew=anew)
            token = tokens.get(slot)
            if token is not None and _fits(token, label, serial):
                return token
            meant = [found for found in tokens.values() if is_named and _fits(found, label, serial)]
            if len(meant) == 1:
                return meant[0]
        if token is not None:
            raise error_for("TOKEN_MISMATCH")
        is_ours = slot in self._configured if self._configured else not tokens
        raise error_for("CKR_TOKEN_NOT_PRESENT") if is_ours else not_served(slot)

    def served(self, until: float) -> dict[int, TokenInfo | None]:
        """Return every served slot with its token, None where none is. Raises DeviceError when nothing can be read.

        Without a list in the configuration and without a token there is one slot, 0, and nothing in it.
        """
        tokens = self._table(until)
        if not tokens or any(slot not in tokens for slot in self._configured):
            tokens = self._table(until, anew=True)
        if self._configured:
            return {slot: tokens.get(slot) for slot in self._configured}
        return dict(tokens) or {0: None}

    def forget(self) -> None:
        """Have the table read anew: a token was not where it should be."""
        self._tokens = None

    def check(self) -> list[str]:
        """Load the module and compare it with the configuration. Returns warnings; raises ConfigError, DeviceError."""
        opening.read_module(self._module, deadline_s=START_S)
        tokens = {
            token.slot_id: token for token in opening.list_tokens(self._module, deadline_s=START_S) if token.initialized
        }
        shown = ", ".join(f"{slot} ({token.label})" for slot, token in tokens.items())
        if not tokens:
            return ["The PKCS#11 library shows no initialised token: /health answers 500 until it does."]
        missing = [slot for slot in self._configured if slot not in tokens]
        if missing:
            raise ConfigError(f"HMG_SLOT: no initialised token is in slot {missing[0]}. There are: {shown}.")
        if not self._configured and len(tokens) > 1:
            raise ConfigError(f"HMG_SLOT is not set, and there are several tokens: {shown}. Name one slot.")
        return []

    def _table(self, until: float, *, anew: bool = False) -> dict[int, TokenInfo]:
        left_s = until - time.monotonic()
        if not self._lock.acquire(timeout=max(0.0, left_s)):
            raise error_for("TOKEN_BUSY")
        try:
            is_fresh = time.monotonic() - self._read_at < AT_MOST_EVERY_S
            if self._tokens is not None and (is_fresh or not anew):
                return self._tokens
            listed = opening.list_tokens(self._module, deadline_s=min(LISTING_S, max(0.1, left_s)))
            self._tokens, self._read_at = self._chosen(listed), time.monotonic()
            return self._tokens
        finally:
            self._lock.release()

    def _chosen(self, tokens: Sequence[TokenInfo]) -> dict[int, TokenInfo]:
        ready = [token for token in tokens if token.initialized]
        if self._configured:
            return {token.slot_id: token for token in ready if token.slot_id in self._configured}
        if self._only is None and len(ready) == 1:
            self._only = (ready[0].label, ready[0].serial)
        return {token.slot_id: token for token in ready if (token.label, token.serial) == self._only}


def _fits(token: TokenInfo, label: str, serial: str) -> bool:
    return (not label or token.label == label) and (not serial or token.serial == serial)
