"""Requests that a page makes by itself: they show, and must not keep an idle session alive."""

from collections.abc import Callable
from typing import ParamSpec, Protocol, TypeVar, cast

from django.http import HttpRequest, HttpResponseBase

P = ParamSpec("P")
R = TypeVar("R", bound=HttpResponseBase)


class PassiveView(Protocol):
    """A view with its mark."""

    passive: bool


def passive(view: Callable[P, R]) -> Callable[P, R]:
    """Mark a view that pages poll."""
    cast("PassiveView", view).passive = True
    return view


def is_passive(request: HttpRequest) -> bool:
    """Tell whether nobody asked for this request; known once the URL is resolved (`process_view` and later)."""
    return bool(request.resolver_match and getattr(request.resolver_match.func, "passive", False))
