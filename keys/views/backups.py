"""Backups: the list, one backup, and Back up now (KEY-28 to KEY-31)."""

import uuid
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_GET, require_http_methods

from console.accounts.asking import actor_of
from console.jobs.models import OPEN, Job
from console.lib import htmx, keyset
from console.lib.access import access
from console.lib.capability import Capability
from console.lib.errors import NotFoundError
from console.navigation import may
from console.servers.current import current
from keys.backup import asking
from keys.backup.forms import BackUpForm
from keys.models.backup import Backup, BackupLabel
from keys.models.keypair import Store
from keys.models.root import Root
from keys.models.subordinate import Subordinate

REQUESTED = "The backup is being made. Watch it on this page."


@require_GET
@access(Capability.READ)
def backups(request: HttpRequest) -> HttpResponse:
    """Show the backups of this server; a fragment request gets the part that changes."""
    server = current()
    rows = Backup.objects.filter(server=server)
    context = {
        "page": keyset.page(rows, sort="-asked_at", cursor=request.GET.get("at", "")),
        "jobs": Job.objects.filter(server=server, kind_name=asking.JOB_KIND, state__in=OPEN).order_by("created_at"),
        "on_token": _on_token(),
        "may_back_up": may(request, Capability.BACK_UP),
        "server": server,
    }
    template = "keys/backups.html#region" if htmx.wants_fragment(request) else "keys/backups.html"
    return render(request, template, context)


@require_GET
@access(Capability.READ)
def backup(request: HttpRequest, backup_id: uuid.UUID) -> HttpResponse:
    """Show one backup: what it holds, what it does not, and how to restore it."""
    found = Backup.objects.filter(pk=backup_id, server=current()).first()
    if found is None:
        raise NotFoundError("There is no such backup on this server.")
    return render(request, "keys/backup.html", {"backup": found})


@sensitive_post_parameters("typed", "again")
@require_http_methods(["GET", "POST"])
@access(Capability.BACK_UP, recent=True)
def back_up(request: HttpRequest) -> HttpResponse:
    """Ask for label and passphrase, and request the backup; the passphrase is sealed in this request."""
    form = BackUpForm(request.POST if request.method == "POST" else None, initial={"label": _label(request)})
    if request.method == "POST" and form.is_valid():
        asking.request(form.cleaned_data["label"], form.passphrase, actor=actor_of(request))
        messages.success(request, REQUESTED)
        url = reverse("keys:backups")
        return htmx.go(request, url)
    part = "#form" if request.method == "POST" else "#dialog"
    template = f"keys/back_up.html{part}" if htmx.wants_fragment(request) else "keys/back_up.html"
    context: dict[str, Any] = {"form": form, "on_token": _on_token()}
    return render(request, template, context, status=422 if form.is_bound else 200)


def _label(request: HttpRequest) -> str:
    wanted = request.GET.get("label", "")
    return wanted if wanted in BackupLabel.values else BackupLabel.MANUAL


def _on_token() -> list[str]:
    """Return the names of keys that no backup contains."""
    living = {"server": current(), "store": Store.TOKEN, "destroyed_at": None}
    return [str(key) for model in (Root, Subordinate) for key in model._base_manager.filter(**living)]
