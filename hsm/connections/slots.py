"""Slot numbers as people type and read them (AMB-16)."""

from console.lib.errors import InvalidError

LARGEST = 2**64 - 1  # CK_SLOT_ID is a CK_ULONG


def parse(text: str) -> str:
    """Return a slot number, decimal or hexadecimal after 0x, as decimal; nothing stays nothing. Raises InvalidError."""
    text = text.strip()
    if not text:
        return ""
    digits, base = (text[2:], 16) if text[:2].lower() == "0x" else (text, 10)
    try:
        slot = int(digits, base) if digits.isascii() and digits.isalnum() else -1
    except ValueError:
        slot = -1
    if not 0 <= slot <= LARGEST:
        raise InvalidError("Enter the slot as a number, such as 3, or in hexadecimal after 0x.", field="slot")
    return str(slot)


def shown(slot: str) -> str:
    """Return a slot number in both ways of writing it."""
    return f"{slot} ({int(slot):#x})" if slot else "not given"
