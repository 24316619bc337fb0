"""Who did something: kept as text, so that a record outlives the user."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Self


class ActorKind(StrEnum):
    """A person who signed in, or the console itself."""

    USER = "user"
    SYSTEM = "system"


@dataclass(frozen=True)
class Actor:
    """`planned_by` names the user on whose plan the system acts (LOG-04)."""

    kind: ActorKind
    name: str
    id: str = ""
    planned_by: str = ""

    @classmethod
    def system(cls, name: str = "scheduler", *, planned_by: str = "") -> Self:
        """Return the console as actor."""
        return cls(ActorKind.SYSTEM, name, planned_by=planned_by)
