"""Addresses of gateways, as people type them. Pure: used by forms as well as by the client."""

import re
from ipaddress import AddressValueError, IPv6Address, ip_address

DEFAULT_PORT = 4442
MAX_SLOT = 2**63 - 1  # what JSON decoders agree on; no module numbers its slots that high
MAX_NAME = 253  # RFC 1035 §2.3.4, without the dot at the end
# RFC 1123 §2.1; an underscore is not allowed there but occurs in private zones.
LABEL = re.compile(r"(?!-)[A-Za-z0-9_-]{1,63}(?<!-)")


class AddressError(ValueError):
    """Says what is wrong, for the person who typed it."""


def parse_address(text: str) -> str:
    """Return the host of a gateway: an IP address in its usual form, or a name in lower case (IDNA as A-labels).

    Raises AddressError for a scheme, a path, a port, a user, blanks and what else is neither.
    """
    if not text:
        raise AddressError("Enter an IP address or a host name.")
    if any(character.isspace() or not character.isprintable() for character in text):
        raise AddressError("An address holds no blanks.")
    if "://" in text:
        raise AddressError("Enter the address without https://.")
    if "/" in text or "?" in text or "#" in text:
        raise AddressError("Enter the address without a path.")
    if "@" in text:
        raise AddressError("Enter the address without a user name.")
    return _ip(text) or _name(text)


def parse_port(text: str | int) -> int:
    """Return a port from 1 to 65535, in decimal. Raises AddressError."""
    digits = str(text)
    if not re.fullmatch(r"[0-9]{1,5}", digits) or not 1 <= int(digits) <= 65535:
        raise AddressError("A port is a number from 1 to 65535.")
    return int(digits)


def parse_slot(text: str | int) -> int:
    """Return a CK_SLOT_ID, decimal or with 0x in hex (AMB-16). Raises AddressError."""
    digits = str(text).lower()
    base = 16 if digits.startswith("0x") else 10
    shape = r"0x[0-9a-f]{1,16}" if base == 16 else r"[0-9]{1,20}"
    if not re.fullmatch(shape, digits) or int(digits, base) > MAX_SLOT:
        raise AddressError("A slot is a number, in decimal or as 0x and hexadecimal digits.")
    return int(digits, base)


def _ip(text: str) -> str:
    """Return an IP address in its usual form, or "" for what is none."""
    inner = text[1:-1] if text.startswith("[") and text.endswith("]") else text
    try:
        return str(IPv6Address(inner) if inner != text else ip_address(inner))
    except (AddressValueError, ValueError):
        return ""


def _name(text: str) -> str:
    if ":" in text:
        raise AddressError("Enter the port in its own field; an address with colons must be an IPv6 address.")
    try:
        name = text.encode("idna").decode("ascii").lower().removesuffix(".")
    except UnicodeError:
        name = ""
    labels = name.split(".")
    if not name or len(name) > MAX_NAME or not all(LABEL.fullmatch(label) for label in labels):
        raise AddressError("This is neither an IP address nor a host name.")
    if labels[-1].isdigit():  # RFC 1123 §2.1: the last label of a name is not all digits
        raise AddressError("This is no valid IPv4 address.")
    return name
