"""A page or dialog that asks before it acts: one template for all acts on users and roles."""

from collections.abc import Callable
from dataclasses import dataclass

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from console.lib import htmx

TEMPLATE = "accounts/act.html"


@dataclass(frozen=True)
class Act:
    """What a dialog says: `impact` are rows of name and value, `done` is said after it."""

    title: str
    lead: str
    verb: str
    icon: str
    done: str
    back: str
    kind: str = "primary"
    impact: tuple[tuple[str, str], ...] = ()
    crumb: str = ""


def ask(
    request: HttpRequest,
    act: Act,
    perform: Callable[[], object],
    form: forms.Form | None = None,
) -> HttpResponse:
    """Show the dialog; on POST with a valid form (or none) perform the act and go back."""
    if request.method == "POST" and (form is None or form.is_valid()):
        perform()
        messages.success(request, act.done)
        return htmx.go(request, act.back)
    posted = request.method == "POST"
    part = ("#form" if posted else "#dialog") if htmx.wants_fragment(request) else ""
    context = {"act": act, "form": form, "url": request.path}
    return render(request, f"{TEMPLATE}{part}", context, status=422 if posted else 200)
