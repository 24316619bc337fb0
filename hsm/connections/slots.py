"""Slot numbers as a page shows them (AMB-16)."""


def shown(slot: str) -> str:
    """Return a slot number in both ways of writing it."""
    return f"{slot} ({int(slot):#x})" if slot else "not given"
