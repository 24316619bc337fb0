"""Every URL of the console, read from the resolver, with arguments that fit it."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from django.urls import URLPattern, URLResolver, get_resolver, reverse
from django.urls.converters import IntConverter, UUIDConverter

from console.allauth_access import ALLAUTH_VIEWS
from console.lib.capability import Capability

SAMPLES = {UUIDConverter: "00000000-0000-4000-8000-000000000000", IntConverter: 1}
OTHER_SAMPLE = "none-such"


@dataclass(frozen=True)
class Route:
    """A named URL; `declared` is what its view asks for, None when it says nothing."""

    name: str
    view: Callable[..., Any]
    arguments: tuple[tuple[str, Any], ...]

    @property
    def path(self) -> str:
        """The URL, with arguments that fit and name nothing that exists."""
        return reverse(self.name, kwargs=dict(self.arguments))

    @property
    def declared(self) -> tuple[Capability | None, bool]:
        """Capability and whether the sign-in must be recent, as `console.middleware` reads them."""
        if hasattr(self.view, "capability"):
            return self.view.capability, self.view.recent  # type: ignore[attr-defined]
        return ALLAUTH_VIEWS.get(self.name, (None, False))


def routes() -> list[Route]:
    """Return every route; raises ValueError for one without a name."""
    return list(_walk(get_resolver().url_patterns, "", {}))


def _walk(patterns: list[URLPattern | URLResolver], prefix: str, converters: dict[str, Any]) -> Iterator[Route]:
    for pattern in patterns:
        here = converters | pattern.pattern.converters
        if isinstance(pattern, URLResolver):
            inner = f"{prefix}{pattern.namespace}:" if pattern.namespace else prefix
            yield from _walk(pattern.url_patterns, inner, here)
            continue
        if not pattern.name:
            raise ValueError(f"{pattern.pattern} has no name.")
        arguments = tuple((name, SAMPLES.get(type(converter), OTHER_SAMPLE)) for name, converter in here.items())
        yield Route(f"{prefix}{pattern.name}", pattern.callback, arguments)
