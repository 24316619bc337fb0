"""Refusals leave an entry too, in a transaction of their own."""

from collections.abc import Iterator
from contextlib import contextmanager

from console.activity import log
from console.lib.actor import Actor
from console.lib.errors import ConflictError, RefusedError
from console.lib.subject import Subject


@contextmanager
def recorded(action: str, subject: Subject, *, actor: Actor) -> Iterator[None]:
    """Record a refusal of the body, and let it go on. Stands outside of the transaction that was refused."""
    try:
        yield
    except (RefusedError, ConflictError) as error:
        log.refuse(action, subject, actor=actor, details={"reason": error.message, "code": error.code})
        raise
