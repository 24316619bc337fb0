"""Enrolment credentials: the list, one of them with whom it enrolled, and its withdrawal."""

import uuid
from http import HTTPStatus

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_safe

from console import links
from console.accounts.asking import actor_of
from console.lib import clock, htmx, keyset
from console.lib.access import access
from console.lib.capability import Capability
from console.navigation import may
from console.servers.current import current
from trust.infrastructure import credentials, stranded
from trust.infrastructure.forms import WithdrawForm
from trust.models.clients import Client
from trust.models.credentials import Credential


@require_safe
@access(Capability.READ)
def credential_list(request: HttpRequest) -> HttpResponse:
    """List the credentials of this server, newest first."""
    now = clock.now()
    page = keyset.page(
        Credential.objects.filter(server=current()), sort="-created_at", cursor=request.GET.get("at", "")
    )
    context = {
        "page": page,
        "rows": [(row, credentials.state(row, now)) for row in page.rows],
        "may_manage": may(request, Capability.MANAGE_CLIENTS),
    }
    template = "trust/credentials/list.html"
    return render(request, f"{template}#grid" if htmx.wants_fragment(request) else template, context)


@require_safe
@access(Capability.READ)
def credential(request: HttpRequest, credential_id: uuid.UUID) -> HttpResponse:
    """Show one credential, and the clients that it enrolled, newest first."""
    found = credentials.find(credential_id)
    enrolled = Client.objects.filter(credential=found).select_related("root")
    page = keyset.page(enrolled, sort="-created_at", cursor=request.GET.get("at", ""))
    context = {
        "credential": found,
        "state": credentials.state(found, clock.now()),
        "page": page,
        "rows": [(client, links.link("client", str(client.pk))) for client in page.rows],
        "may_manage": may(request, Capability.MANAGE_CLIENTS),
    }
    template = "trust/credentials/credential.html"
    return render(request, f"{template}#grid" if htmx.wants_fragment(request) else template, context)


@require_http_methods(["GET", "HEAD", "POST"])
@access(Capability.MANAGE_CLIENTS, recent=True)
def withdraw(request: HttpRequest, credential_id: uuid.UUID) -> HttpResponse:
    """Name those who would have no other way back, and withdraw the credential when that was read."""
    found = credentials.find(credential_id)
    form = WithdrawForm(request.POST if request.method == "POST" else None)
    changed = None
    if request.method == "POST":
        seen = form.cleaned_data["seen"] if form.is_valid() else ""
        try:
            credentials.withdraw(found, seen, actor=actor_of(request))
        except stranded.ChangedError as error:
            changed = error
        else:
            messages.success(request, f"{found} is withdrawn. It enrols nobody any more.")
            url = reverse("trust:credential", args=[found.pk])
            return htmx.go(request, url)
    context = {
        "credential": found,
        "state": credentials.state(found, clock.now()),
        "stranded": stranded.stranded(found),
        "changed": changed,
    }
    part = "#form" if request.method == "POST" else "#dialog"
    template = "trust/credentials/withdraw.html"
    return render(
        request,
        f"{template}{part}" if htmx.wants_fragment(request) else template,
        context,
        status=_status(request, changed),
    )


def _status(request: HttpRequest, changed: stranded.ChangedError | None) -> HTTPStatus:
    if changed is None:
        return HTTPStatus.OK
    # htmx swaps in a 422 and drops a 409; to a browser without it the status says what it is.
    return HTTPStatus.UNPROCESSABLE_ENTITY if request.htmx else HTTPStatus.CONFLICT  # type: ignore[attr-defined]
