"""Which keys live on a token. Apps that keep keys there register a holder at start-up."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from console.lib.subject import Subject
from hsm.models.tokens import TokenBinding


@dataclass(frozen=True)
class BoundKey:
    """A key whose private half is on a token, or may be: everything that is not known to be destroyed."""

    subject: Subject
    key_id: bytes
    spki_der: bytes
    url: str = ""


class Holder(Protocol):
    """An app that keeps keys on tokens."""

    def keys_on(self, binding: TokenBinding) -> Iterable[BoundKey]:
        """Return the keys that are not destroyed."""

    def rebind(self, key: BoundKey, binding: TokenBinding) -> None:
        """Point one key to another binding, in the caller's transaction."""


_holders: list[Holder] = []


def register(holder: Holder) -> None:
    """Add a holder; called when its app is ready."""
    _holders.append(holder)


def keys_on(binding: TokenBinding) -> list[BoundKey]:
    """Return the keys on one token, by name."""
    found = [key for holder in _holders for key in holder.keys_on(binding)]
    return sorted(found, key=lambda key: key.subject.label)


def rebind(keys: Iterable[BoundKey], source: TokenBinding, target: TokenBinding) -> None:
    """Point keys of one binding to another; each holder takes its own."""
    wanted = {key.key_id for key in keys}
    for holder in _holders:
        for key in list(holder.keys_on(source)):
            if key.key_id in wanted:
                holder.rebind(key, target)
