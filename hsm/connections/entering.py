"""What is typed about a connection, and whether it may be saved as it is. Nothing is asked over the network here.

A connection may be saved wrong or incomplete and put right later (GRP-21); what is refused is what could never be an
address, a port or a slot.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TypeVar

from console.lib.errors import ConflictError, InvalidError, RefusedError
from console.lib.secret import Secret
from hsm.connections.slots import shown
from hsm.device.gatewayaddress import AddressError, parse_address, parse_port, parse_slot
from hsm.models.groups import GATEWAY_PORT, Connection, ConnectionKind

T = TypeVar("T")
# Another place than before: what was known about the token there does not hold any more.
PLACE = ("kind", "address", "port", "module_path", "slot")


@dataclass(frozen=True)
class Entered:
    """A connection as it was typed, in one way of writing it. Without a `pin` the stored one is kept (GRP-33)."""

    kind: str = ConnectionKind.GATEWAY
    address: str = ""
    port: int = GATEWAY_PORT
    module_path: str = ""
    slot: str = ""
    pin: Secret | None = field(default=None, repr=False)

    def place(self) -> dict[str, str | int]:
        """Return the columns that say where the token is."""
        return {name: getattr(self, name) for name in PLACE}


def address(text: str) -> str:
    """Return an address in one way of writing it; raises InvalidError. No address is one that is entered later."""
    return _parsed(parse_address, text, "address") if text.strip() else ""


def port(text: str) -> int:
    """Return a port; raises InvalidError."""
    return _parsed(parse_port, text, "port") if text.strip() else GATEWAY_PORT


def slot(text: str) -> str:
    """Return a slot as decimal, or nothing for nothing; raises InvalidError."""
    return str(_parsed(parse_slot, text, "slot")) if text.strip() else ""


def module_path(text: str) -> str:
    """Return the path of a module, or nothing for nothing; raises InvalidError."""
    text = text.strip()
    if text and (not text.startswith("/") or "\0" in text):
        message = "Enter the absolute path of the vendor's library, such as /opt/vendor/libpkcs11.so."
        raise InvalidError(message, field="module_path")
    return text


def refuse_clash(entered: Entered, others: Iterable[Connection]) -> None:
    """Raise RefusedError for a way that is there already, and for another slot of one gateway (GRP-41, AMB-18)."""
    if not (entered.address or entered.module_path):
        return
    for other in others:
        if any(getattr(other, name) != value for name, value in entered.place().items() if name != "slot"):
            continue
        if other.slot == entered.slot:
            raise RefusedError(
                f"The group has a connection to {other.name}, slot {shown(other.slot)} already. Nothing was saved.",
                code="connection-twice",
                next_step="Edit that connection, or enter another place.",
            )
        if entered.kind == ConnectionKind.MODULE:
            continue  # one library may lead to several HSMs
        raise RefusedError(
            f"The group reaches slot {shown(other.slot)} through the gateway {other.name}. One gateway serves one slot "
            f"in a group, so slot {shown(entered.slot)} of it cannot be added. Nothing was saved.",
            code="gateway-other-slot",
            next_step="Make another group for that slot, or run another gateway for it.",
        )


def changed_meanwhile(what: str) -> ConflictError:
    """Return the error for a form that was filled in from a row that somebody changed since."""
    return ConflictError(
        f"Somebody else changed {what} meanwhile. Nothing of yours was saved.",
        code="changed-meanwhile",
        next_step="Open the page again, look at what it says now, and repeat your change.",
    )


def _parsed(parse: Callable[[str], T], text: str, name: str) -> T:
    try:
        return parse(text.strip())
    except AddressError as error:
        raise InvalidError(str(error), field=name) from error
