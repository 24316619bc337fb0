"""What the log vouches for outside of itself: rows of another app that one entry stands for.

An app that writes such entries registers here how Verify checks the rows against them.
"""

from collections.abc import Callable, Iterator

Check = Callable[[], Iterator[str]]
"""Yields a sentence for each thing that does not hold."""

_checks: dict[str, Check] = {}


def register(name: str, check: Check) -> None:
    """Add a check; called where the worker's tasks are imported. The same name registered again replaces it."""
    _checks[name] = check


def findings() -> Iterator[str]:
    """Yield what the checks of all apps find, in the order of registration."""
    for check in _checks.values():
        yield from check()
