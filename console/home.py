"""What Home shows: a registry that the apps fill, so that this low layer knows none of them.

home.register_panel(20, root_keys)                           # root_keys(request) -> Panel | None
home.register_step(10, first_backup, Capability.BACK_UP)     # first_backup(request) -> Step
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import TypeVar

from django.http import HttpRequest

from console.lib.capability import Capability

T = TypeVar("T")


class Mark(StrEnum):
    """How a panel stands; each has an icon and a word beside its colour."""

    OK = "ok"
    WARN = "warn"
    BAD = "bad"
    IDLE = "mute"


@dataclass(frozen=True)
class Fact:
    """A line of a panel: a name, a value, and where it leads. `at` is shown after the value, as time and relative."""

    label: str
    value: str = ""
    url: str = ""
    at: datetime | None = None


@dataclass(frozen=True)
class Panel:
    """A part of Environment Status. `summary` says the state in words; `url` with `link_text` leads to its page."""

    id: str
    title: str
    icon: str
    state: Mark
    summary: str
    lines: tuple[Fact, ...] = ()
    url: str = ""
    link_text: str = ""


@dataclass(frozen=True)
class Step:
    """One of the first steps of a new console."""

    title: str
    text: str
    url: str
    done: bool


@dataclass
class _Registry:
    panels: list[tuple[int, Callable[[HttpRequest], Panel | None], Capability]] = field(default_factory=list)
    steps: list[tuple[int, Callable[[HttpRequest], Step], Capability]] = field(default_factory=list)


_registry = _Registry()


def register_panel(
    order: int, builder: Callable[[HttpRequest], Panel | None], capability: Capability = Capability.READ
) -> None:
    """Add a panel for whoever has the capability; lower orders come first.

    A builder reads the database only, and returns None for no panel.
    """
    if (order, builder, capability) not in _registry.panels:
        _registry.panels.append((order, builder, capability))


def register_step(order: int, builder: Callable[[HttpRequest], Step], capability: Capability) -> None:
    """Add one of the first steps, for whoever may take it; lower orders come first."""
    if (order, builder, capability) not in _registry.steps:
        _registry.steps.append((order, builder, capability))


def panels(request: HttpRequest) -> list[Panel]:
    """Build every panel that the user may see."""
    return [panel for panel in _built(_registry.panels, request) if panel is not None]


def steps(request: HttpRequest) -> list[Step]:
    """Build the first steps that the user may take."""
    return _built(_registry.steps, request)


def _built(parts: list[tuple[int, Callable[[HttpRequest], T], Capability]], request: HttpRequest) -> list[T]:
    user = request.user
    ordered = sorted(parts, key=lambda item: item[0])
    return [builder(request) for _, builder, needed in ordered if user.is_authenticated and user.may(needed)]
