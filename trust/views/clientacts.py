"""What an administrator does with one client: each is a dialog that says what follows, then one domain call."""

from dataclasses import dataclass
from uuid import UUID

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
from console.lib.errors import ConflictError
from trust.clients import consequences, offer, pending, resetting, revoking
from trust.clients.finding import find
from trust.clients.forms import AllowForm, RevokeForm
from trust.clients.rows import facts
from trust.models.clients import Client


@dataclass(frozen=True)
class Ask:
    """What a dialog asks; `lines` are the consequences, worked out as it is shown."""

    name: str
    title: str
    text: str
    verb: str
    icon: str
    kind: str = "primary"
    lines: tuple[consequences.Line, ...] = ()


@access(Capability.MANAGE_CLIENTS, recent=True)
@require_http_methods(["GET", "HEAD", "POST"])
def allow(request: HttpRequest, client_id: UUID) -> HttpResponse:
    """Let a client enrol once without proof of its last key."""
    client = _offered(client_id, "allow")
    waiting = list(client.pending.select_related("credential"))
    form = AllowForm(waiting, request.POST if request.method == "POST" else None)
    if form.is_valid():
        hours = form.cleaned_data["hours"]
        until = pending.allow_once(client, actor=actor_of(request), hours=hours, key=form.chosen)
        return _done(request, client, f"{client.name} may enrol once until {durations.stamp(until)}.")
    text = (
        "The chosen key gets a certificate for this name, once, with a valid init file. Compare its fingerprint on the "
        "computer itself first: anybody with an init file can ask."
        if waiting
        else "Nobody asks now, so whoever first enrols under this name with a valid init file gets its certificate, "
        "once. It is safer to wait until the computer asks, and to choose its key here."
    )
    lines = consequences.of_allowing(client)
    ask = Ask("allow", f"Let {client.name} enrol once?", text, "Allow re-enrolment", "clock-play", lines=lines)
    return _dialog(request, client, ask, form)


@access(Capability.MANAGE_CLIENTS, recent=True)
@require_http_methods(["GET", "HEAD", "POST"])
def withdraw(request: HttpRequest, client_id: UUID) -> HttpResponse:
    """Take the permission to enrol once back."""
    client = _offered(client_id, "withdraw")
    if request.method == "POST":
        pending.withdraw_permission(client, actor=actor_of(request))
        return _done(request, client, f"{client.name} needs the proof of its last key again.")
    text = "From now on it needs its certificate, or the proof of its last key, to enrol again."
    ask = Ask("withdraw", f"Withdraw the permission of {client.name}?", text, "Withdraw permission", "arrow-back-up")
    return _dialog(request, client, ask, forms.Form())


@access(Capability.MANAGE_CLIENTS, recent=True)
@require_http_methods(["GET", "HEAD", "POST"])
def reset(request: HttpRequest, client_id: UUID) -> HttpResponse:
    """Have a client hold the present root keys, and no others (HSI-45, AMB-06)."""
    client = _offered(client_id, "reset")
    if request.method == "POST":
        resetting.reset_public_key(client, actor=actor_of(request))
        return _done(request, client, f"The order to {client.name} is being signed. It obeys when it next registers.")
    text = (
        "A signed order for this client alone: it drops every root key that the present trust list does not name, "
        "takes the ones it names, and says anew what it holds. It keeps its own key and its certificate."
    )
    lines = consequences.of_resetting(client)
    ask = Ask("reset", f"Reset the public key of {client.name}?", text, "Reset public key", "refresh", lines=lines)
    return _dialog(request, client, ask, forms.Form())


@access(Capability.MANAGE_CLIENTS, recent=True)
@require_http_methods(["GET", "HEAD", "POST"])
def revoke(request: HttpRequest, client_id: UUID) -> HttpResponse:
    """Revoke a client when its exact name was typed."""
    client = _offered(client_id, "revoke")
    form = RevokeForm(client.name, request.POST if request.method == "POST" else None)
    if form.is_valid():
        revoking.revoke(client, form.cleaned_data["reason"], actor=actor_of(request))
        then = " The revocation list is being signed." if client.authenticated else ""
        return _done(request, client, f"{client.name} is revoked.{then}")
    text = "The client is refused from the next moment on. This cannot be undone."
    lines = consequences.of_revoking(client, clock.now())
    ask = Ask("revoke", f"Revoke {client.name}?", text, "Revoke client", "ban", "danger-solid", lines)
    return _dialog(request, client, ask, form)


def _offered(client_id: UUID, name: str) -> Client:
    """Return the client; raises ConflictError where the act cannot be done (any more): somebody else was faster."""
    client = find(client_id)
    act = next((act for act in offer.acts(client, facts(client, waits=False), clock.now()) if act.name == name), None)
    if act is None:
        if name == "allow":
            return client
        raise ConflictError(f"{client.name} has no permission to enrol again, or has just used it.")
    if act.obstacle:
        raise ConflictError(f"{act.label}: not possible for {client.name}. {act.obstacle} Nothing was changed.")
    return client


def _dialog(request: HttpRequest, client: Client, ask: Ask, form: forms.Form) -> HttpResponse:
    context = {"client": client, "ask": ask, "form": form, "url": reverse(f"trust:client-{ask.name}", args=[client.pk])}
    part = "#form" if request.method == "POST" else "#dialog"
    template = f"trust/clients/ask.html{part if htmx.wants_fragment(request) else ''}"
    return render(request, template, context, status=422 if form.errors else 200)


def _done(request: HttpRequest, client: Client, text: str) -> HttpResponse:
    messages.success(request, text)
    return htmx.go(request, reverse("trust:client", args=[client.pk]))
