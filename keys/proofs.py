"""What else shows that the keys of a server work: a registry that higher apps fill in the worker.

`keys` can use its own keys. That somebody else trusts them is known to apps above, which register a Proof here; nothing
in this module looks upward.
"""

from collections.abc import Callable
from typing import Protocol

from console.lib.actor import Actor
from console.lib.errors import ConsoleError
from console.servers.models import Server


class NotProvenError(ConsoleError):
    """The proof did not come about; the message says why, `next_step` what to do."""


class Proof(Protocol):
    """An app that can show that somebody trusts the keys of a server."""

    @property
    def name(self) -> str:
        """Return what the line is called."""

    def prove(self, server: Server, *, actor: Actor, progress: Callable[[str], None]) -> str:
        """Return what was seen, in a sentence; raises NotProvenError, or what a device raises.

        It may wait, for no longer than two minutes, and says by `progress` what for.
        """


_proofs: dict[str, Proof] = {}


def register(proof: Proof) -> None:
    """Add a proof; called when the worker loads its tasks. The same name registered again replaces the former."""
    _proofs[proof.name] = proof


def every() -> tuple[Proof, ...]:
    """Return every proof, in the order of registration."""
    return tuple(_proofs.values())
