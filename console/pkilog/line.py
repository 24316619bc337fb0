"""A line of the PKI log, both ways.

    2026-11-21T22:40:00.000000Z ERROR hsm.check login subject="token Root HSM" result="CKR_PIN_INCORRECT"

Printable ASCII only: subject and result are JSON strings, so nothing that a user typed can look like another
line.
"""

import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

from console.lib.digest import timestamp

LINE = re.compile(
    r"(?P<at>\S+) (?P<level>[A-Z]+) (?P<component>\S+) (?P<event>\S+)"
    r' subject=(?P<subject>"(?:[^"\\]|\\.)*") result=(?P<result>"(?:[^"\\]|\\.)*")\Z'
)
NOT_A_WORD = re.compile(r"[^A-Za-z0-9._:-]+")
LONGEST = 500


class Level(StrEnum):
    """How much it matters."""

    INFO = "INFO"
    WARNING = "WARNING"
    ERROR = "ERROR"


@dataclass(frozen=True)
class Line:
    """`subject` is the key or the peer."""

    at: datetime
    level: Level
    component: str
    event: str
    subject: str
    result: str

    def text(self) -> str:
        """Return the line without its line break."""
        words = (timestamp(self.at), self.level, _word(self.component), _word(self.event))
        return f"{' '.join(words)} subject={_quoted(self.subject)} result={_quoted(self.result)}"


def parse(text: str) -> Line | None:
    """Return the parts of a line, or None for one that this console did not write."""
    found = LINE.match(text)
    if not found or found["level"] not in set(Level):
        return None
    try:
        return Line(
            datetime.strptime(found["at"], "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=UTC),
            Level(found["level"]),
            found["component"],
            found["event"],
            json.loads(found["subject"]),
            json.loads(found["result"]),
        )
    except ValueError:
        return None


def _word(text: str) -> str:
    return NOT_A_WORD.sub("-", text)[:80] or "-"


def _quoted(text: str) -> str:
    return json.dumps(text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…")
