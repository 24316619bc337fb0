"""Characters that nobody sees in a name, or that turn round the words beside it."""

import re

# Control characters, soft hyphen and zero-width blanks, ends of lines, and what orders the directions of writing
# (UAX #9). The joiners stay: some scripts and most emoji are written with them.
UNSEEN = re.compile("[\x00-\x1f\x7f-\x9f\xad\u061c\u200b\u200e\u200f\u2028-\u202e\u2060\u2066-\u2069\ufeff]")


def spelt(name: str) -> str:
    r"""Return a name with those characters as \xNN or \uNNNN."""
    return UNSEEN.sub(lambda found: _escape(ord(found[0])), name)


def _escape(number: int) -> str:
    return f"\\x{number:02x}" if number < 0x100 else f"\\u{number:04x}"
