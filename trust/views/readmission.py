"""Accept certificates that a restore made this server forget, and end that: one dialog each."""

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from console.accounts.asking import actor_of
from console.lib import clock, durations, htmx
from console.lib.access import access
from console.lib.capability import Capability
from console.lib.typedname import TypedNameForm
from console.servers.current import current
from keys.models.root import Root
from trust.clients import readmission

TEMPLATE = "trust/clients/readmission.html"
TITLES = {"begin": "Accept forgotten certificates?", "withdraw": "Stop accepting forgotten certificates?"}


@access(Capability.MANAGE_CLIENTS, recent=True)
@require_http_methods(["GET", "HEAD", "POST"])
def begin(request: HttpRequest) -> HttpResponse:
    """Say what would follow, and accept them when the server's exact name was typed."""
    server = current()
    restored = readmission.offered(server, clock.now())
    form = TypedNameForm(server.fqdn, request.POST if request.method == "POST" else None)
    if form.is_valid():
        made = readmission.begin(server, actor=actor_of(request))
        until = durations.stamp(made.ends_at)
        return _done(request, f"Certificates from before the restore are accepted until {until}.")
    return _dialog(request, form, "begin", {"restored": restored, "roots": Root.objects.active(server)})


@access(Capability.MANAGE_CLIENTS, recent=True)
@require_http_methods(["GET", "HEAD", "POST"])
def withdraw(request: HttpRequest) -> HttpResponse:
    """End it before its time."""
    standing = readmission.standing(current(), clock.now())
    if request.method == "POST":
        readmission.withdraw(current(), actor=actor_of(request))
        return _done(request, "Certificates from before the restore are not accepted any more.")
    return _dialog(request, forms.Form(), "withdraw", {"standing": standing})


def _dialog(request: HttpRequest, form: forms.Form, act: str, facts: dict[str, object]) -> HttpResponse:
    part = "#form" if request.method == "POST" else "#dialog"
    template = f"{TEMPLATE}{part}" if htmx.wants_fragment(request) else TEMPLATE
    context = {"form": form, "url": reverse(f"trust:readmission-{act}"), "title": TITLES[act], **facts}
    return render(request, template, context, status=422 if form.errors else 200)


def _done(request: HttpRequest, text: str) -> HttpResponse:
    messages.success(request, text)
    return htmx.go(request, reverse("trust:clients"))
