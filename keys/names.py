"""Names that go into certificates: host names and common names."""

import re

from console.lib.digest import sha256_hex
from console.lib.errors import InvalidError

MAX_FQDN = 253  # RFC 1035 §2.3.4: 255 octets on the wire, two of them the first length and the root label
MAX_COMMON_NAME = 64  # RFC 5280 appendix A.1, ub-common-name
LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")  # RFC 1123 §2.1: letters, digits, hyphen; 1 to 63


def fqdn(text: str) -> str:
    """Return a host name in lower case (RFC 1123 §2.1); raises InvalidError.

    A name of one label is accepted: a machine without a domain has no other. Unicode must come as A-labels
    (RFC 5280 §7.2). Not checked: that the name resolves.
    """
    name = text.lower()
    labels = name.split(".")
    if len(name) > MAX_FQDN or not all(LABEL.fullmatch(label) for label in labels):
        raise InvalidError(
            f"“{text[:80]}” is not a host name: labels of letters, digits and hyphens, separated by dots.",
            field="fqdn",
            code="bad-host-name",
        )
    if labels[-1].isdecimal():  # RFC 3696 §2: so that a name and an IPv4 address cannot be confused
        raise InvalidError(f"“{text[:80]}” looks like an address, not a host name.", field="fqdn", code="bad-host-name")
    return name


def common_name(name: str) -> str:
    """Return `name` if it fits a commonName, else its beginning and 16 digits of its SHA-256: still one name each."""
    if not name.strip() or not name.isprintable():
        raise InvalidError("A certificate needs a printable name.", code="bad-name")
    if len(name) <= MAX_COMMON_NAME:
        return name
    return f"{name[: MAX_COMMON_NAME - 17]}~{sha256_hex(name.encode())[:16]}"
