"""Bytes as a person types, pastes and copies them."""

import base64
import binascii

from django.db.models import TextChoices

from console.lib.errors import InvalidError


class Encoding(TextChoices):
    """How bytes are written down."""

    TEXT = "text", "Text"
    HEX = "hex", "Hex"
    BASE64 = "base64", "Base64"


BINARY = (Encoding.BASE64, Encoding.HEX)
# What separates pairs of digits where bytes are shown: openssl and certificate viewers write colons.
HEX_SEPARATORS = str.maketrans("", "", ": \t\r\n")


def decode(written: str, encoding: Encoding) -> bytes:
    """Return the bytes; raises InvalidError. A browser sends line ends as CR LF; they are taken as LF."""
    if encoding is Encoding.TEXT:
        return written.replace("\r\n", "\n").encode()
    try:
        if encoding is Encoding.HEX:
            return bytes.fromhex(written.translate(HEX_SEPARATORS).removeprefix("0x"))
        return base64.b64decode("".join(written.split()), validate=True)
    except (ValueError, binascii.Error) as error:
        raise InvalidError(
            f"This is no {encoding.label.lower() if encoding is Encoding.HEX else encoding.label}.",
            next_step="Choose how it is written, or upload it as a file.",
        ) from error


def base64_of(data: bytes) -> str:
    """Return the data as Base64 on one line."""
    return base64.b64encode(data).decode()


def text_of(data: bytes) -> str | None:
    """Return the data as text when they are readable as UTF-8, else None."""
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return None
    return text if all(character.isprintable() or character in "\t\r\n" for character in text) else None
