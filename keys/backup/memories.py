"""What a restore forgets: a registry that apps fill when they start, each for what it keeps in the database.

The private keys, the log and the jobs are looked after by `keys.backup.aftercare`. Nothing in this module looks upward.
"""

from collections.abc import Iterator
from datetime import datetime
from typing import Protocol

from django.db import Error as DatabaseError

UNREADABLE = "What this machine held before could not be read, so nobody can be named from it."


class Memory(Protocol):
    """An app whose rows decide who may do what."""

    def going(self, since: datetime) -> Iterator[str]:
        """Yield, before the rows go, sentences that name what happened since the backup; nothing where nothing did."""

    def missing(self, since: datetime) -> Iterator[str]:
        """Yield, once the backup's rows stand, what this server cannot know any more and what is to be done about it.

        To be said whatever `going` named: the machine may have been empty, or behind the one that was lost.
        """


_memories: dict[str, Memory] = {}


def register(name: str, memory: Memory) -> None:
    """Add a memory; called from an app's ready(). The same name registered again replaces the former."""
    _memories[name] = memory


def going(since: datetime) -> list[str]:
    """Return what every memory names. A database that cannot be read is no reason not to restore one that can."""
    try:
        return [sentence for memory in _memories.values() for sentence in memory.going(since)]
    except DatabaseError:
        return [UNREADABLE]


def missing(since: datetime) -> Iterator[str]:
    """Yield what every memory cannot know."""
    for memory in _memories.values():
        yield from memory.missing(since)
