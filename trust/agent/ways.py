"""Which way to a certificate a client tries."""

from dataclasses import dataclass

from trust.agent.client import Client
from trust.agent.state import Way


@dataclass(frozen=True)
class Choice:
    """`last_key` names the key that a proof is made with."""

    way: Way
    last_key: str = ""


def ways(client: Client) -> tuple[Choice, ...]:
    """Return the ways in order.

    A certificate that counts is renewed. Otherwise the key that was certified last proves who asks: that may be one
    whose certificate never arrived. At the end there is the credential, which for a known name only an administrator
    can make enough.
    """
    state = client.state
    if client.counts(state.identity):
        return (Choice(Way.RENEWAL),)
    first = Choice(Way.FIRST)
    newest_first = (*reversed(state.doubtful), *((state.identity.key,) if state.identity else ()))
    proofs = tuple(Choice(Way.PROOF, key) for key in newest_first)
    return (*proofs, first) if state.identity else (first, *proofs)


def choice(client: Client) -> Choice:
    """Return the way whose turn it is; each refusal moves on to the next."""
    found = ways(client)
    return found[client.turn % len(found)]
