"""What other apps show on a user's page and on one's own profile: they fill a registry, so that this app knows none.

sections.register(groups_of)     # groups_of(shown, viewer) -> Section
"""

from collections.abc import Callable
from dataclasses import dataclass

from console.accounts.models import User


@dataclass(frozen=True)
class Section:
    """A card: `template` is included with this object as `section`, and finds what it shows in `content`."""

    template: str
    content: object


Builder = Callable[[User, User], Section]
_builders: list[Builder] = []


def register(builder: Builder) -> None:
    """Add a section; a builder reads the database only."""
    if builder not in _builders:
        _builders.append(builder)


def sections(shown: User, *, viewer: User) -> list[Section]:
    """Return the sections about a user, for who looks at them."""
    return [builder(shown, viewer) for builder in _builders]
