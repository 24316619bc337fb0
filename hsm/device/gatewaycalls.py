"""One request to a gateway and what becomes of its answer: the errors of network, TLS, gateway and token alike."""

import atexit
import hashlib
import hmac
import math
import os
import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

import msgspec

from hsm.device import gatewaywire as wire
from hsm.device.base import SecretLike
from hsm.device.codes import CODES, error_for
from hsm.device.errors import DeviceError, KeyExistsError, PinError
from hsm.device.failover import WRONG_PINS
from hsm.device.gatewayaddress import AddressError, parse_address, parse_port
from hsm.device.gatewaylink import Link, LinkError, Reply, is_ip
from hsm.device.gatewaytls import client_context

MARGIN_S = 0.5  # of a deadline, for the gateway's own word that it was not kept to arrive
MAX_LINKS = 64
LINK_AGE_S = 3600.0  # then the CAs of the system are read anew
MAX_REFUSALS = 1000
CHECK_PIN = "Enter the right PIN of this connection. It is not tried again until it is changed."

_A = TypeVar("_A", bound=wire._Message)  # noqa: SLF001 - the base of all answers


@dataclass(frozen=True)
class GatewayAddress:
    """Where a token is reached. `ca_pem` None trusts the CAs of the system.

    `label` and `serial`, when known, are those of the token: the gateway looks for it in its other slots when the
    numbers have shifted, and shows the PIN to no other.
    """

    host: str
    port: int
    slot: int
    ca_pem: str | None = None
    client_cert_pem: str | None = None
    client_key: SecretLike | None = field(default=None, repr=False)
    validate_host: bool = True
    label: str = ""
    serial: str = ""


class GatewayCalls:
    """Asks one gateway, each time with the PIN, which the gateway compares without touching the token."""

    def __init__(self, address: GatewayAddress, pin: SecretLike, pin_version: str, deadline_s: float) -> None:
        self._address = address
        self._pin = pin
        self._deadline_s = deadline_s
        self._pin_key = (address.host, address.port, address.slot, address.label, address.serial, pin_version)

    def ask(
        self,
        operation: str,
        kind: type[wire.Request],
        answer: type[_A],
        fields: Mapping[str, Any] | None = None,
        *,
        creates: bool = False,
    ) -> _A:
        """Return the answer to one request. Raises DeviceError.

        When it `creates` a key the request is sent once, and an error says by `outcome_unknown` whether the gateway may
        have done it all the same.
        """
        deadline = time.monotonic() + self._deadline_s
        if self._pin_key in _refused:
            raise _pin_error(error_for("PIN_REJECTED_BEFORE"))
        where = self._address
        common: dict[str, Any] = {"slot": where.slot, "label": where.label, "serial": where.serial}
        common["pin"] = self._pin_text()

        def body(left_s: float) -> bytes:
            limit = int((left_s - min(MARGIN_S, left_s / 10)) * 1000)
            deadline_ms = min(max(limit, wire.MIN_DEADLINE_MS), wire.MAX_DEADLINE_MS)
            return wire.encode(kind(**common, **(fields or {}), deadline_ms=deadline_ms))

        try:
            reply = _link(self._address).post(wire.PREFIX + operation, body, deadline, again=not creates)
        except LinkError as error:
            raise error_for(error.code, outcome_unknown=creates and error.sent) from error
        if reply.status != 200:
            raise self._refusal(reply, creates=creates)
        return _decoded(reply, answer, creates=creates)

    def _pin_text(self) -> str:
        try:
            pin = self._pin.reveal_bytes().decode()
        except UnicodeDecodeError:
            raise _pin_error(error_for("PIN_NOT_TEXT")) from None
        if not pin:
            raise _pin_error(error_for("PIN_EMPTY"))
        if len(pin) > wire.MAX_PIN_CHARACTERS:
            raise _pin_error(error_for("PIN_LENGTH"))
        return pin

    def _refusal(self, reply: Reply, *, creates: bool) -> DeviceError:
        """Return the error that the gateway reports."""
        said = _decoded(reply, wire.ErrorAnswer, creates=creates)
        facts = CODES.get(said.code)
        error = (facts.raises if facts else DeviceError)(
            said.message,
            code=said.code,
            error_class=facts.error_class if facts else said.error_class,
            next_step=said.next_step or (facts.next_step if facts else ""),
            outcome_unknown=said.outcome_unknown,
        )
        if isinstance(error, KeyExistsError) and said.existing is not None:
            error.record = wire.object_record(said.existing)
        if error.code in WRONG_PINS:
            _refuse(self._pin_key)
        return _pin_error(error)


def _decoded(reply: Reply, kind: type[_A], *, creates: bool) -> _A:
    """Return what the body says; a body that is no message may still follow upon a key that was made."""
    try:
        message = wire.decode(reply.body, kind)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        detail = f"Its status was {reply.status}."
        raise error_for("GATEWAY_GARBAGE", detail=detail, outcome_unknown=creates) from error
    if isinstance(message, wire.TokenAnswer) and message.protocol != wire.PROTOCOL_VERSION:
        raise error_for("GATEWAY_VERSION")
    return message


def _pin_error(error: DeviceError) -> DeviceError:
    """Say where this PIN is entered; the table of codes knows the settings of the console only."""
    if (
        isinstance(error, PinError)
        and error.next_step == CODES[error.code].next_step
        and "HSMPassword" in error.next_step
    ):
        error.next_step = CHECK_PIN
    return error


# Connections and refused PINs are kept for the life of the process.


@dataclass(frozen=True)
class _LinkKey:
    host: str
    port: int
    validate_host: bool
    certificates: bytes  # a keyed hash: a key is not kept twice


_lock = threading.Lock()
_salt = secrets.token_bytes(32)
_links: OrderedDict[_LinkKey, tuple[float, Link]] = OrderedDict()
_refused: OrderedDict[tuple[object, ...], None] = OrderedDict()


def close_links() -> None:
    """Close every connection, and forget which PINs were refused."""
    with _lock:
        links = [link for _since, link in _links.values()]
        _links.clear()
        _refused.clear()
    for link in links:
        link.close()


def _link(address: GatewayAddress) -> Link:
    """Return the connections to this gateway. Raises DeviceError GATEWAY_ADDRESS, GATEWAY_TLS_SETTINGS."""
    try:
        host, port = parse_address(address.host), parse_port(address.port)
    except AddressError as error:
        raise error_for("GATEWAY_ADDRESS", detail=str(error)) from error
    client_pem = _client_pem(address)
    hashed = hmac.new(_salt, repr((address.ca_pem, client_pem)).encode(), hashlib.sha256).digest()
    key = _LinkKey(host, port, address.validate_host, hashed)
    now = time.monotonic()
    if (link := _known(key, now)) is not None:
        return link
    check_name = address.validate_host and not is_ip(host)
    context = client_context(address.ca_pem, client_pem, check_name=check_name)
    fresh = Link(host, port, context, check_name=address.validate_host, max_bytes=wire.MAX_ANSWER_BYTES)
    with _lock:
        since, former = _links.get(key, (-math.inf, None))
        if former is not None and now - since < LINK_AGE_S:
            return former  # another thread was faster
        _links[key] = (now, fresh)
        surplus = [_links.popitem(last=False)[1][1] for _ in range(len(_links) - MAX_LINKS)]
    for other in [*surplus, *([former] if former is not None else [])]:
        other.close()
    return fresh


def _known(key: _LinkKey, now: float) -> Link | None:
    with _lock:
        since, link = _links.get(key, (-math.inf, None))
        if link is None or now - since >= LINK_AGE_S:
            return None
        _links.move_to_end(key)
        return link


def _client_pem(address: GatewayAddress) -> bytes | None:
    """Return the client certificate and its key in one. Raises DeviceError GATEWAY_TLS_SETTINGS for half of it."""
    if address.client_cert_pem is None and address.client_key is None:
        return None
    if address.client_cert_pem is None or address.client_key is None:
        raise error_for("GATEWAY_TLS_SETTINGS")
    return address.client_key.reveal_bytes().rstrip() + b"\n" + address.client_cert_pem.encode()


def _refuse(key: tuple[object, ...]) -> None:
    with _lock:
        _refused[key] = None
        while len(_refused) > MAX_REFUSALS:
            _refused.popitem(last=False)


def _leave_to_parent() -> None:
    """In a forked child: a connection that both write to would mix their requests."""
    global _lock  # noqa: PLW0603 - another thread of the parent may have held it
    _lock = threading.Lock()
    for _since, link in _links.values():
        link.abandon()
    _links.clear()


atexit.register(close_links)
os.register_at_fork(after_in_child=_leave_to_parent)
