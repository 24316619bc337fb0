"""Refused registrations in the PKI log of TLS: one line each, and never a flood (TLS-14 to TLS-17).

The same refusal of the same name at the same address is written once in fifteen minutes. Made-up names do not fill the
log either: a process writes at most so many lines a minute, and then says how many it left out.
"""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field

from django.http import HttpRequest

from console import pkilog
from trust.listening.peer import peer

COMPONENT = "trust.registration"
CLIENT = "keystead.client"
"""Where `registration_http.body_of` leaves the name that a request gave itself."""
AGAIN_S = 15 * 60
MOST_REMEMBERED = 10_000
MOST_A_MINUTE = 100


@dataclass
class Gate:
    """Lets a line pass at most every AGAIN_S for each key, and at most MOST_A_MINUTE of them in a minute."""

    now: Callable[[], float] = time.monotonic
    _seen: OrderedDict[tuple[str, ...], float] = field(default_factory=OrderedDict)
    _minute: float = 0.0
    _written: int = 0
    _left_out: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def passes(self, key: tuple[str, ...]) -> tuple[bool, int]:
        """Return whether a line may be written, and how many were left out in the minute that has ended."""
        with self._lock:
            now = self.now()
            left_out = self._turn(now)
            if now - self._seen.get(key, -AGAIN_S) < AGAIN_S:
                return False, left_out
            if self._written >= MOST_A_MINUTE:
                self._left_out += 1
                return False, left_out
            self._seen[key] = now
            self._seen.move_to_end(key)
            if len(self._seen) > MOST_REMEMBERED:
                self._seen.popitem(last=False)
            self._written += 1
            return True, left_out

    def _turn(self, now: float) -> int:
        if now - self._minute < 60:
            return 0
        left_out, self._minute, self._written, self._left_out = self._left_out, now, 0, 0
        return left_out


_gate = Gate()


def write(request: HttpRequest, code: str, message: str) -> None:
    """Write down that a request was refused, and why."""
    address = peer(request).address
    name = str(request.META.get(CLIENT, "a client"))
    may, left_out = _gate.passes((name, address, code))
    if left_out:
        _line("registrations-refused", "clients", f"{left_out} more were refused in the minute before")
    if may:
        _line("registration-refused", f"client {name} at {address}", f"{code}: {message}")


def _line(event: str, subject: str, result: str) -> None:
    pkilog.write(
        event, component=COMPONENT, subject=subject, result=result, level=pkilog.Level.WARNING, log=pkilog.Log.TLS
    )
