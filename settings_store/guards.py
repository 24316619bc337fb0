"""What higher layers know about a setting before it is changed or deleted; they register it at start-up."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Protocol

from console.lib.actor import Actor
from settings_store.contradictions import KnownToken


@dataclass(frozen=True)
class Loss:
    """Something that lives by a setting which is about to go. `url` shows it."""

    what: str
    where: str
    url: str = ""


class Guard(Protocol):
    """Asked by the pages and verbs of this app; `names` are setting names of this server."""

    def known_tokens(self) -> Iterable[KnownToken]:
        """Return the tokens that modules showed when they were last asked."""

    def notices(self, name: str) -> Iterable[str]:
        """Return what to know before this setting is changed."""

    def losses(self, names: Collection[str]) -> Iterable[Loss]:
        """Return what lives by these settings."""

    def forget(self, names: Collection[str], *, actor: Actor) -> None:
        """Give up what lives by these settings, in the caller's transaction."""


_guards: list[Guard] = []


def register(guard: Guard) -> None:
    """Add a guard; called when its app is ready."""
    _guards.append(guard)


def known_tokens() -> list[KnownToken]:
    """Return the tokens that any guard knows."""
    return [token for guard in _guards for token in guard.known_tokens()]


def notices(name: str) -> list[str]:
    """Return what every guard says about a setting."""
    return [text for guard in _guards for text in guard.notices(name)]


def losses(names: Collection[str]) -> list[Loss]:
    """Return what lives by these settings."""
    return [loss for guard in _guards for loss in guard.losses(names)]


def forget(names: Collection[str], *, actor: Actor) -> None:
    """Have every guard give up what lives by these settings."""
    for guard in _guards:
        guard.forget(names, actor=actor)
