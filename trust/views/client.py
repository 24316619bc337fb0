"""The page of a client: its names and keys, what it holds, what it told, and what can be done with it."""

from typing import Any
from uuid import UUID

from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.http import urlencode
from django.views.decorators.http import require_safe

from console.activity.models import Entry
from console.jobs.models import OPEN, Job
from console.lib import clock, keyset
from console.lib.access import access
from console.lib.capability import Capability
from console.navigation import may
from trust.clients import dependence, held, offer, places, status
from trust.clients.finding import find
from trust.clients.rows import facts, row
from trust.models.certificates import Certificate
from trust.models.clients import Client, RegistrationChange

LINES = 10
ENTRIES = 10


@access(Capability.READ)
@require_safe
def client(request: HttpRequest, client_id: UUID) -> HttpResponse:
    """Show a client; `certificates` and `registrations` in the query turn the pages of those tables."""
    found, now = find(client_id), clock.now()
    certificates = Certificate.objects.filter(client=found).select_related("issuer__root")
    waiting = list(found.pending.select_related("credential"))
    changes = RegistrationChange.objects.filter(client=found).select_related("holding")
    context = {
        "client": found,
        "row": row(found, now, waits=bool(waiting)),
        "held": held.of(found),
        "is_stranded": dependence.is_stranded(found),
        "peers": status.between_clients(found.protocol, found.tls_mode),
        "now": now,
        "current": certificates.filter(revoked_at=None, not_after__gt=now).first(),
        "certificates": _page(request, certificates, "certificates"),
        "changes": _page(request, changes, "registrations"),
        "pending": waiting,
        "crowded": places.crowded(waiting),
        "acts": offer.acts(found, facts(found, waits=bool(waiting)), now)
        if may(request, Capability.MANAGE_CLIENTS)
        else [],
        "other": Client.objects.filter(~Q(authenticated=found.authenticated), name=found.name).first(),
        **_history(found),
    }
    return render(request, "trust/clients/client.html", context)


def _page(request: HttpRequest, rows: Any, name: str) -> "keyset.KeysetPage[Any]":
    return keyset.page(rows, sort="-id", cursor=request.GET.get(name, ""), size=LINES)


def _history(found: Client) -> dict[str, Any]:
    about = {"subject_kind": "client", "subject_id": str(found.pk)}
    return {
        "jobs": list(Job.objects.filter(**about, state__in=OPEN)),
        "entries": Entry.objects.filter(**about).order_by("-seq")[:ENTRIES],
        "activity_url": f"{reverse('activity:list')}?{urlencode(about)}",
    }
