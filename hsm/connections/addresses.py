"""Addresses of gateways as people type them (GRP-05). What is merely wrong may be saved; what is no host may not."""

import ipaddress
import re

from console.lib.errors import InvalidError

LONGEST = 253  # RFC 1035 §2.3.4, without the last dot
# Letters of other scripts are allowed: a resolver may know them.
NOT_IN_A_HOST = re.compile(r"[\s/\\?#@\[\]<>\"'%]|[\x00-\x1f\x7f]")


def parse(text: str) -> str:
    """Return an IPv4 or IPv6 address or a host name in one way of writing it; raises InvalidError."""
    text = text.strip()
    if re.search(r"\s", text):
        raise InvalidError("An address has no spaces in it.", field="address")
    if "://" in text:
        raise InvalidError("Enter the address alone, without https:// in front.", field="address")
    bare = text[1:-1] if text.startswith("[") and text.endswith("]") else text
    try:
        return str(ipaddress.ip_address(bare))
    except ValueError:
        pass
    if ":" in bare:
        raise InvalidError("Enter the port in its own field. An IPv6 address is complete or has ::.", field="address")
    if NOT_IN_A_HOST.search(bare):
        raise InvalidError("That is neither an IP address nor a host name.", field="address")
    if len(bare) > LONGEST:
        raise InvalidError(f"A host name has at most {LONGEST} characters.", field="address")
    return bare.lower().rstrip(".")
