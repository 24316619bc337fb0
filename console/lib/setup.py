"""What `manage.py setup` does on a server, beyond the rows of this project's own ground.

An app with something to set up has a module `setup` that registers its steps; only the command imports it, so it
may use what the web must not.
"""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Step:
    """One step: harmless when repeated. `run` returns what it did in a sentence, nothing when all was there."""

    name: str
    run: Callable[[], str | None]


_steps: dict[str, Step] = {}


def register_step(name: str, run: Callable[[], str | None]) -> None:
    """Add a step; they run in the order of the apps in INSTALLED_APPS, each app's in its own order."""
    if _steps.setdefault(name, Step(name, run)).run is not run:
        raise ValueError(f"Two set-up steps are named {name}.")


def steps() -> tuple[Step, ...]:
    """Return the registered steps in order."""
    return tuple(_steps.values())
