"""What a view declares: the capability it needs, and whether the sign-in must be recent.

`console.middleware` enforces it before the view runs; a view that declares nothing is refused there.
"""

from collections.abc import Callable
from typing import Any, Protocol, cast

from django.http import HttpResponseBase

from console.lib.capability import Capability


class View(Protocol):
    """A view with its declaration."""

    capability: Capability
    recent: bool

    def __call__(self, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """Answer a request."""


def access(
    capability: Capability, *, recent: bool = False
) -> Callable[[Callable[..., HttpResponseBase]], Callable[..., HttpResponseBase]]:
    """Declare what the view needs; `recent` asks for a sign-in within the last ten minutes."""

    def declare(view: Callable[..., HttpResponseBase]) -> Callable[..., HttpResponseBase]:
        declared = cast("View", view)
        declared.capability = capability
        declared.recent = recent
        return view

    return declare
