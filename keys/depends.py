"""What the revoke dialog says about those that still need a root. Facts in, words out.

The numbers move with every second of a rotation. What has to stand still between reading the dialog and confirming it
is their order of magnitude, so that a confirmation fails when things have really changed, and only then.
"""

from collections.abc import Iterator

from console.lib import durations
from keys.witnesses import Consequence, Dependants, amount


def lines(found: Dependants) -> Iterator[Consequence]:
    """Yield the lines about one kind of dependants."""
    yield _needing(found)
    if found.lost:
        text = f"{found.lost:,} of them hold no other root that leads on: they need a new init file"
        yield Consequence("Would not come back", text, bad=True, fact=_magnitude(found.lost))
    if found.number:
        yield _ready(found)
    if found.deceived:
        yield Consequence("If it is compromised", _deceived(found), bad=True, fact=_magnitude(found.deceived))
    if found.unproven:
        text = f"{found.unproven:,} that never proved their name say that they hold no other; nothing waits for them"
        yield Consequence(f"Unproven {found.kind}", text, fact=_magnitude(found.unproven))


def _needing(found: Dependants) -> Consequence:
    term = f"{found.kind.capitalize()} that still need it"
    if not found.number:
        return Consequence(term, "none")
    away = f", {found.away:,} of them not heard of for 6 hours" if found.away else ""
    return Consequence(term, f"{found.number:,}{away}", bad=True, fact=_magnitude(found.number))


def _deceived(found: Dependants) -> str:
    who = amount(found.deceived, found.kind)
    if found.deceived == 1:
        return (
            f"{who} holds nothing else that leads on: whoever has the private key can deceive it until it has a new "
            "init file"
        )
    return (
        f"{who} hold nothing else that leads on: whoever has the private key can deceive them until they have a new "
        "init file"
    )


def _ready(found: Dependants) -> Consequence:
    if found.never:
        return Consequence(
            "Nobody needs it", f"at no date: {found.never:,} will go on needing it", bad=True, fact="never"
        )
    text = f"from {durations.stamp(found.earliest)} on, if they go on as they do"
    return Consequence("Nobody needs it", text, fact="later")


def _magnitude(number: int) -> str:
    """Return 0 for none, else a power of ten: 1 to 9, 10 to 99, and so on."""
    return f"at least {10 ** (len(str(number)) - 1)}" if number else "none"
