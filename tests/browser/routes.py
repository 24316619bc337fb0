"""Every address of the console that a browser can open, found in the URL conf itself."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import product

from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver, reverse

Values = Mapping[str, Iterable[object]]

FRAGMENT = {"HX-Request": "true"}


@dataclass(frozen=True)
class Route:
    """A named address; `parameters` are the names in its path."""

    name: str
    parameters: tuple[str, ...]

    @property
    def area(self) -> str:
        """The app it belongs to, by its namespace; the sign-in library's views have none."""
        return self.name.partition(":")[0] if ":" in self.name else "account"


def routes() -> Iterator[Route]:
    """Yield every named route."""
    yield from _below(get_resolver(), "")


def _below(resolver: URLResolver, prefix: str) -> Iterator[Route]:
    for pattern in resolver.url_patterns:
        if isinstance(pattern, URLResolver):
            inner = f"{prefix}{pattern.namespace}:" if pattern.namespace else prefix
            yield from _below(pattern, inner)
        elif isinstance(pattern, URLPattern) and pattern.name:
            yield Route(f"{prefix}{pattern.name}", tuple(pattern.pattern.converters))


def addresses(route: Route, values: Values) -> list[str]:
    """Return the route's paths: one for each value that a parameter takes; KeyError for a parameter without any.

    `values` fills a parameter by its name, or for one route alone by `route.name`.
    """
    choices = [values.get(f"{route.name}.{name}", values[name]) for name in route.parameters]
    return [reverse(route.name, args=chosen) for chosen in product(*choices)]


def is_page(client: Client, path: str) -> bool:
    """Whether a plain GET shows a whole page (not a fragment, a redirect, a file, or a refusal of GET)."""
    client.raise_request_exception = False
    response = client.get(path)
    assert response.status_code < 500, f"{path} fails: {getattr(response, 'exc_info', response.status_code)}"
    if response.status_code != 200 or not response.headers["Content-Type"].startswith("text/html"):
        return False
    return response.content.lstrip().lower().startswith(b"<!doctype html")


def is_dialog(client: Client, path: str) -> bool:
    """Whether a GET by htmx gives a dialog."""
    response = client.get(path, headers=FRAGMENT)
    return response.status_code == 200 and response.content.lstrip().startswith(b"<dialog")
