"""A Device on a token, through its module host."""

import secrets
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from typing import TypeVar

from hsm.device import spki, wire
from hsm.device.base import (
    MIN_KEY_ID_BYTES,
    Capabilities,
    KeyAttributes,
    KeyRecord,
    KeySpec,
    SecretLike,
    SignatureScheme,
    TestLine,
    TokenFlag,
    TokenInfo,
)
from hsm.device.capabilities import capabilities_of
from hsm.device.codes import check_key_id, error_for
from hsm.device.errors import DeviceError, ErrorClass
from hsm.device.pool import Pool
from hsm.device.seat import Seat

# The PIN itself is wrong, for ever. A locked or expired one may work again once the security officer has acted.
WRONG_PINS = frozenset({"CKR_PIN_INCORRECT", "CKR_PIN_INVALID", "CKR_PIN_LEN_RANGE"})

_R = TypeVar("_R", bound=wire.Reply)
_T = TypeVar("_T")


class TokenDevice:
    """Implements `Device` and `SelfTesting`. Lives as long as its `open_token` or `keep_token` block.

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

    def generate_key_pair(self, key_id: bytes, spec: KeySpec, label: str) -> bytes:
        """Make a key pair, then prove on a fresh login that it is there and signs."""
        check_key_id(key_id)
        context = "Making a key pair failed."
        request = wire.Generate(key_id=key_id, spec=spec.value, label=label)
        made = self._once_more(lambda: self._ask(request, wire.Found, context))
        spki_der = self._public(made.key)
        try:
            self._prove(key_id, spec, spki_der)
        except DeviceError as error:
            error.outcome_unknown = True
            raise
        return spki_der

    def find(self, key_id: bytes) -> KeyRecord | None:
        """Return the key, or None when the token answers and has neither half."""
        check_key_id(key_id)
        found = self._once_more(lambda: self._ask(wire.Find(key_id), wire.Found, "Looking for a key failed."))
        return key_record(found.key) if found.key is not None else None

    def sign(self, key_id: bytes, digest: bytes, scheme: SignatureScheme) -> bytes:
        """Sign a digest on the token."""
        check_key_id(key_id)
        spki.check_fits(scheme, digest)
        request = wire.Sign(key_id, digest, scheme.value)
        signed = self._once_more(lambda: self._ask(request, wire.Signed, "Signing failed."))
        return spki.x509_signature(signed.signature, scheme)

    def destroy(self, key_id: bytes) -> None:
        """Destroy both halves, and look that nothing is left."""
        check_key_id(key_id)
        self._once_more(lambda: self._ask(wire.Destroy(key_id), wire.Done, "Destroying a key failed."))

    def list_keys(self) -> Iterator[KeyRecord]:
        """Return every key pair; the whole list is here before the first one is given."""
        return iter(self._once_more(self._whole_list))

    def capabilities(self) -> Capabilities:
        """Return what the token advertises."""
        listed = self._once_more(
            lambda: self._ask(wire.ListMechanisms(), wire.Mechanisms, "Reading the mechanisms failed.")
        )
        return capabilities_of(listed.mechanisms)

    def self_test(self, specs: Sequence[KeySpec] = (KeySpec.EC_P384,)) -> tuple[TestLine, ...]:
        """Make, use and destroy a session key of each kind; verify each signature outside the token."""
        return tuple(line for spec in specs for line in self._test(spec))

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

    def _test(self, spec: KeySpec) -> Iterator[TestLine]:
        scheme, key_id = spki.natural_scheme(spec), secrets.token_bytes(MIN_KEY_ID_BYTES)
        digest = spki.sample_digest(scheme, key_id)
        name = f"Make a session key ({spec.value})"
        try:
            made = self._ask(wire.Generate(key_id, spec.value, "Keystead self-test", keep=False), wire.Found, "")
            key = spki.load(self._public(made.key))
            yield TestLine(name, ok=True)
            name = f"Sign with it ({scheme.value})"
            signature = self.sign(key_id, digest, scheme)
            yield TestLine(name, ok=True)
            name = "Verify the signature on this server"
            if not spki.verifies(key, signature, digest, scheme):
                raise error_for("SIGNATURE_WRONG")
            yield TestLine(name, ok=True)
            name = "Destroy the session key"
            self._ask(wire.Destroy(key_id), wire.Done, "")
            yield TestLine(name, ok=True)
        except DeviceError as error:
            with suppress(DeviceError):  # what is left goes with the session at the latest
                self._ask(wire.Destroy(key_id), wire.Done, "")
            yield TestLine(name, ok=False, detail=error.message, code=error.code, next_step=error.next_step)

    def _whole_list(self) -> list[KeyRecord]:
        context = "Listing the keys failed."
        part = self._ask(wire.ListKeys(), wire.Keys, context)
        keys = list(part.keys)
        while part.more:
            reply = self._seat.next_part(self._deadline_s, context=context)
            part = _expect(reply, wire.Keys)
            keys += part.keys
        return [key_record(key) for key in keys]

    def _prove(self, key_id: bytes, spec: KeySpec, spki_der: bytes) -> None:
        """Log in anew, find the key, sign and verify: a stale login can make keys that nobody else can use."""
        self._seat.reset(self._deadline_s)
        scheme = spki.natural_scheme(spec)
        digest = spki.sample_digest(scheme, secrets.token_bytes(32))
        signature = self.sign(key_id, digest, scheme)
        if not spki.verifies(spki.load(spki_der), signature, digest, scheme):
            raise error_for("SIGNATURE_WRONG")

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
        return _expect(self._seat.call(request, self._deadline_s, context=context), reply_type)

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
            reply = _expect(seat.call(request, self._deadline_s, context="The login failed."), wire.LoggedIn)
        except DeviceError as error:
            seat.drop()  # a failed login leaves a session behind in the module
            if error.code in WRONG_PINS:
                self._pool.reject(seat.key)
            raise
        seat.logged_in, seat.login_time = reply.token, time.monotonic()
        return reply.token

    def _public(self, key: wire.KeyPart | None) -> bytes:
        if key is None or key.public is None:
            raise error_for("KEY_UNREADABLE", outcome_unknown=True)
        return spki.encode(key.public)


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


def key_record(part: wire.KeyPart) -> KeyRecord:
    """Return a key as the port describes it; a public half that is malformed counts as unreadable."""
    spki_der = None
    if part.public is not None:
        with suppress(DeviceError):
            spki_der = spki.encode(part.public)
    return KeyRecord(
        key_id=part.key_id,
        label=part.label,
        spki_der=spki_der,
        has_private=part.has_private,
        has_public=part.has_public,
        attributes=KeyAttributes(
            sensitive=part.sensitive,
            extractable=part.extractable,
            local=part.local,
            never_extractable=part.never_extractable,
            always_sensitive=part.always_sensitive,
        ),
    )


def _expect(reply: wire.Reply, reply_type: type[_R]) -> _R:
    if not isinstance(reply, reply_type):
        raise error_for("HOST_PROTOCOL")
    return reply
