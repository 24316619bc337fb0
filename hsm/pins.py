"""Each entered PIN is tried once on a token. Worker only.

Tokens lock after a few wrong PINs, and a module that is logged in does not notice a wrong one (docs/hsm.md §1). So
every attempt is claimed in a row before it is made; a PIN that was rejected, under whatever setting, is refused here
and does not reach the token again until it is entered anew.
"""

import hashlib
import hmac
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.db import transaction

from console.lib import clock
from console.lib.opening import worker_pair
from console.lib.secret import Secret
from hsm.device.errors import DeadlineError, HostLostError, PinError
from hsm.errors import PinBusyError, PinRejectedError
from hsm.models.tokens import PinState, PinTrial

# Longer than any login may take: the start of a host, then the deadlines of loading and of the login itself.
CLAIM_LASTS = timedelta(seconds=90)
WAIT_FOR_OTHER_S = 30
POLL_S = 0.05
INTERRUPTED_AT_MOST = 2
THE_PIN_IS_WRONG = frozenset({"CKR_PIN_INCORRECT", "CKR_PIN_INVALID", "CKR_PIN_LEN_RANGE"})


@dataclass(frozen=True)
class Identity:
    """A token, as docs/hsm.md §7 tells tokens apart."""

    module_path: str
    label: str
    serial: str

    def where(self) -> dict[str, str]:
        """Return the filter of rows about this token."""
        return {"module_path": self.module_path, "label": self.label, "serial": self.serial}

    @property
    def name(self) -> str:
        """Return what an error calls it: a token behind a gateway is known by its place until it was reached."""
        return f"token “{self.label}”" if self.label else self.module_path


@dataclass(frozen=True)
class EnteredPin:
    """A PIN with the version of the entry it came from; `source` is the setting that holds it, or the token."""

    secret: Secret = field(repr=False)
    version: str
    entered_at: datetime
    source: str


def rejected(token: Identity, version: str) -> bool:
    """Whether the token rejected this entry."""
    return PinTrial.objects.filter(**token.where(), pin_version=version, state=PinState.REJECTED).exists()


def accepted(token: Identity, version: str) -> bool:
    """Whether the token accepted this entry when it was last tried."""
    return PinTrial.objects.filter(**token.where(), pin_version=version, state=PinState.ACCEPTED).exists()


@contextmanager
def trial(token: Identity, pin: EnteredPin) -> Iterator[None]:
    """Claim one attempt; the body makes it, and ends as soon as the token has answered.

    Raises PinRejectedError (before the attempt when it is known, or in place of the body's PinError), PinBusyError.
    """
    row = _claim(token, pin)
    try:
        yield
    except PinError as error:
        if error.code not in THE_PIN_IS_WRONG:
            _release(row)
            raise
        _settle(row, PinState.REJECTED, code=error.code)
        raise _rejection(token, pin, error.message, error.code, error.next_step) from error
    except (DeadlineError, HostLostError):
        # Nobody knows whether the token counted it: the claim stays as an interrupted one.
        PinTrial.objects.filter(pk=row.pk).update(claimed_at=clock.now() - CLAIM_LASTS)
        raise
    except BaseException:
        _release(row)
        raise
    _settle(row, PinState.ACCEPTED)


@contextmanager
def proven(token: Identity, pin: EnteredPin) -> Iterator[None]:
    """Show a PIN that was accepted before to a gateway, which compares it and asks the token nothing.

    So nothing is claimed: many may do it at once, and a gateway or an HSM that does not answer says nothing against the
    PIN. Raises PinRejectedError, as `trial` does.
    """
    if _rejected_since(token, pin, _mark(token, pin.secret)):
        raise _rejection(token, pin, f"{_begun(token.name)} rejected this PIN before.", "CKR_PIN_INCORRECT")
    try:
        yield
    except PinError as error:
        if error.code not in THE_PIN_IS_WRONG:
            raise
        row = PinTrial.objects.filter(**token.where(), pin_version=pin.version)
        row.update(state=PinState.REJECTED, code=error.code, claimed_at=clock.now(), interrupted=0)
        raise _rejection(token, pin, error.message, error.code, error.next_step) from error


def _claim(token: Identity, pin: EnteredPin) -> PinTrial:
    """Return the row as it was before the claim."""
    give_up = time.monotonic() + WAIT_FOR_OTHER_S
    while True:
        row = _claim_now(token, pin)
        if row is not None:
            return row
        if time.monotonic() > give_up:
            raise PinBusyError(f"Another worker is trying the PIN of {token.name}. This one was not tried.")
        time.sleep(POLL_S)


@transaction.atomic
def _claim_now(token: Identity, pin: EnteredPin) -> PinTrial | None:
    """Claim, or return None while somebody else's attempt is under way."""
    now = clock.now()
    mark = _mark(token, pin.secret)
    row, is_new = PinTrial.objects.select_for_update().get_or_create(
        **token.where(),
        pin_version=pin.version,
        defaults={"pin_mark": mark, "state": PinState.TRYING, "claimed_at": now},
    )
    if row.state == PinState.REJECTED or _rejected_since(token, pin, mark):
        raise _rejection(token, pin, f"{_begun(token.name)} rejected this PIN before.", row.code or "CKR_PIN_INCORRECT")
    if is_new:
        return row
    if row.state == PinState.TRYING:
        if now - row.claimed_at < CLAIM_LASTS:
            return None
        if row.interrupted >= INTERRUPTED_AT_MOST:
            raise _rejection(
                token, pin, f"{_begun(token.name)} did not answer to this PIN {row.interrupted + 1} times.", row.code
            )
        row.interrupted += 1
    PinTrial.objects.filter(pk=row.pk).update(
        state=PinState.TRYING, claimed_at=now, interrupted=row.interrupted, pin_mark=mark
    )
    return row


def _rejected_since(token: Identity, pin: EnteredPin, mark: str) -> bool:
    """Whether the token rejected the same PIN under another entry: two entries would be two wrong tries for it."""
    same = PinTrial.objects.filter(**token.where(), pin_mark=mark, state=PinState.REJECTED)
    return same.filter(claimed_at__gt=pin.entered_at).exists()


def _begun(name: str) -> str:
    return name[0].upper() + name[1:]


def _settle(row: PinTrial, state: PinState, *, code: str = "") -> None:
    PinTrial.objects.filter(pk=row.pk).update(state=state, code=code, claimed_at=clock.now(), interrupted=0)


def _release(row: PinTrial) -> None:
    """Give the claim back: the token did not see the PIN, or said nothing about it (a locked token)."""
    if row.state == PinState.ACCEPTED:
        _settle(row, PinState.ACCEPTED)
    else:
        PinTrial.objects.filter(pk=row.pk).delete()


def _mark(token: Identity, secret: Secret) -> str:
    """Return a digest that only this server's worker can compute: equal for equal PINs of one token."""
    key = worker_pair().derive("pin mark").reveal_bytes()
    token_name = f"{token.module_path}\0{token.label}\0{token.serial}".encode()
    return hmac.new(key, token_name + b"\0" + secret.reveal_bytes(), hashlib.sha256).hexdigest()


def _rejection(token: Identity, pin: EnteredPin, message: str, code: str, next_step: str = "") -> PinRejectedError:
    return PinRejectedError(
        f"{message} It is not tried again, so that the token does not lock.",
        code=code,
        next_step=next_step
        or f"Enter the right PIN of {token.name} in {pin.source}. The console tries it once after that.",
    )
