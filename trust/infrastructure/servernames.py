"""The setting ServerNameList of a file: the names of servers that a client tries, in this order (BND-15)."""

import re

from console.lib.errors import InvalidError
from trust.wire import names
from trust.wire.errors import WireError

SETTING = "ServerNameList"
MOST = 32


def parse(text: str) -> str:
    """Return the names joined by commas, in lower case, none twice; empty for empty text. Raises InvalidError."""
    found = dict.fromkeys(_name(part) for part in re.split(r"[\s,;]+", text) if part)
    if len(found) > MOST:
        raise InvalidError(f"Give {MOST} names at most.", field="server_names")
    return ",".join(found)


def _name(text: str) -> str:
    try:
        return names.client_name(text)
    except WireError as error:
        raise InvalidError(
            f"{text[:80]} is not the name of a host. Give names without ports.", field="server_names"
        ) from error
