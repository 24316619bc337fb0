"""Open one connection, whatever its kind. Worker only.

A PIN is claimed in a row before it is sent (`hsm.pins`), also to a gateway; one that was rejected is not sent again.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import cast

from console.lib.errors import ConsoleError
from console.lib.opening import worker_pair
from console.lib.secret import Secret
from hsm import pins
from hsm.bindings import logged_in, real_path
from hsm.connections.faults import incomplete, pin_refused
from hsm.connections.sealed import PIN_PURPOSE
from hsm.device import opening
from hsm.device.base import Device, TokenInfo
from hsm.device.errors import DeviceError, ErrorClass, PinError, TokenNotFoundError
from hsm.device.gateway import GatewayDevice
from hsm.device.gatewaycalls import GatewayAddress
from hsm.device.objects import ObjectDevice
from hsm.errors import PinRejectedError
from hsm.groups.clientpairs import open_client_key
from hsm.models.groups import Connection, ConnectionKind, Trust
from hsm.pins import EnteredPin, Identity

DEADLINE_S = 20.0


def obstacle(connection: Connection) -> DeviceError | None:
    """Return why nothing needs to be tried: something is missing, or the PIN was rejected; None when there is none."""
    is_gateway = connection.kind == ConnectionKind.GATEWAY
    needed = (
        (connection.address if is_gateway else connection.module_path, "address" if is_gateway else "module path"),
        (connection.slot, "slot"),
        (connection.pin_version, "PIN"),
    )
    for value, name in needed:
        if not value:
            return incomplete(name)
    if connection.pin_version == connection.pin_rejected_version:
        return pin_refused()
    return None


@contextmanager
def reach(connection: Connection, deadline_s: float = DEADLINE_S) -> Iterator[ObjectDevice]:
    """Open the connection; its token has accepted the PIN when this yields. Raises DeviceError alone."""
    if (missing := obstacle(connection)) is not None:
        raise missing
    with ExitStack() as stack:
        try:
            device = stack.enter_context(OPENERS[ConnectionKind(connection.kind)](connection, deadline_s))
        except ConsoleError as error:
            raise _as_fault(error) from error
        yield device


def _as_fault(error: ConsoleError) -> DeviceError:
    """Return what keeps a connection from serving as a fault of it: another one may have another token and PIN."""
    kind = PinError if isinstance(error, PinRejectedError) else DeviceError
    code = error.code or "CKR_PIN_INCORRECT" if kind is PinError else error.code
    return kind(error.message, code=code, error_class=ErrorClass.DEVICE, next_step=error.next_step)


@contextmanager
def _open_module(connection: Connection, deadline_s: float) -> Iterator[ObjectDevice]:
    """Log in to the token of a module on this server; one that moved is found by its label and serial number."""
    path, pin = real_path(connection.module_path), _entered(connection)
    with ExitStack() as stack:
        device = _standing(stack, connection, path, pin, deadline_s)
        yield cast("ObjectDevice", device or stack.enter_context(_anew(connection, path, pin, deadline_s)))


def _standing(stack: ExitStack, connection: Connection, path: str, pin: EnteredPin, deadline_s: float) -> Device | None:
    """Return the token on a login that stands; None when there is none, or when this PIN is not proven there."""
    if not pins.accepted(Identity(path, connection.label, connection.serial), pin.version):
        return None
    return stack.enter_context(
        opening.standing_token(
            path,
            label=connection.label,
            serial=connection.serial,
            pin=pin.secret,
            pin_version=pin.version,
            deadline_s=deadline_s,
        )
    )


def _anew(connection: Connection, path: str, pin: EnteredPin, deadline_s: float) -> AbstractContextManager[Device]:
    return logged_in(_find(connection, path, deadline_s), pin)


def _find(connection: Connection, path: str, deadline_s: float) -> TokenInfo:
    """Return the token; raises TokenNotFoundError, also when its slot holds another one by now."""
    if not connection.serial:
        return opening.find_token(path, slot_id=int(connection.slot), deadline_s=deadline_s)
    try:
        return opening.find_token(path, label=connection.label, serial=connection.serial, deadline_s=deadline_s)
    except TokenNotFoundError as error:
        raise TokenNotFoundError(
            f"The token {connection.label} (serial {connection.serial}) is in no slot of this module any more. "
            "The PIN was not tried on another one.",
            code=error.code,
            error_class=error.error_class,
            next_step="Connect that token. If another one took its place, edit the connection and enter slot and PIN.",
        ) from error


@contextmanager
def _open_gateway(connection: Connection, deadline_s: float) -> Iterator[ObjectDevice]:
    group = connection.group
    is_custom = group.trust == Trust.CUSTOM
    address = GatewayAddress(
        host=connection.address,
        port=connection.port,
        slot=int(connection.slot),
        ca_pem=group.ca_pem if is_custom and group.ca_pem else None,
        client_cert_pem=group.client_cert_pem if is_custom and group.client_cert_pem else None,
        client_key=_client_key(connection) if is_custom and group.client_cert_pem else None,
        validate_host=group.validate_host,
        label=connection.label,
        serial=connection.serial,
    )
    pin = _entered(connection)
    device = GatewayDevice(address, pin.secret, pin.version, deadline_s=deadline_s)
    where = Identity(f"https://{connection.name} slot {connection.slot}", "", "")
    # The gateway gives an unknown PIN one try and knows the right one again (docs/gateway-protocol.md, PINs).
    attempt = pins.proven if pins.accepted(where, pin.version) else pins.trial
    with attempt(where, pin):
        device.token()
    yield device


OPENERS: dict[ConnectionKind, Callable[[Connection, float], AbstractContextManager[ObjectDevice]]] = {
    ConnectionKind.MODULE: _open_module,
    ConnectionKind.GATEWAY: _open_gateway,
}


def _entered(connection: Connection) -> EnteredPin:
    if connection.sealed_pin is None or connection.pin_entered_at is None:
        raise incomplete("PIN")
    secret = worker_pair().open(bytes(connection.sealed_pin), purpose=PIN_PURPOSE, row_id=str(connection.pk))
    source = f"the connection {connection.name}"
    return EnteredPin(secret, connection.pin_version, connection.pin_entered_at, source)


def _client_key(connection: Connection) -> Secret | None:
    sealed = connection.group.sealed_client_key
    return open_client_key(sealed, connection.group.pk) if sealed is not None else None
