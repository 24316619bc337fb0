"""The answer of a key as its page shows it."""

from dataclasses import dataclass, field

from hsm.device.objects import Operation
from hsm.use.enclosure import Answer
from hsm.use.encodings import base64_of, text_of

TITLES = {
    Operation.SIGN: "Signature",
    Operation.VERIFY: "Verification",
    Operation.ENCRYPT: "Encrypted data",
    Operation.DECRYPT: "Decrypted data",
}


@dataclass(frozen=True)
class Shown:
    """A title, how many bytes there are, and the same bytes written in several ways; `valid` is of a verification."""

    title: str
    length: int
    valid: bool | None
    written: tuple[tuple[str, str], ...] = field(repr=False)


def shown(answer: Answer, operation: Operation) -> Shown:
    """Prepare an answer for its page: readable data first, binary ones as Base64 and hex only."""
    written = [("Base64", base64_of(answer.output)), ("Hex", answer.output.hex())] if answer.output else []
    text = text_of(answer.output) if operation is Operation.DECRYPT else None
    if text:
        written.insert(0, ("Text", text))
    return Shown(TITLES[operation], len(answer.output), answer.valid, tuple(written))
