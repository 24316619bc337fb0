"""The name of a client: a host name (RFC 1123 §2.1), compared without regard to case."""

import re

from trust.wire.errors import WireError

LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
NAME = re.compile(rf"(?=.{{1,253}}\Z){LABEL}(?:\.{LABEL})*\Z")


def client_name(text: str) -> str:
    """Return the name in lower case without a final dot; raises WireError for what is no host name."""
    name = text.strip().rstrip(".").lower()
    # Other scripts have capitals that become ASCII: the Kelvin sign is one.
    if not text.isascii() or not NAME.match(name):
        raise WireError("This is not a host name.", code="bad-name")
    return name
