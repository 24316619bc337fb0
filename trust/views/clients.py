"""Client Status, and its export."""

from typing import cast
from uuid import UUID

from django.db import transaction
from django.http import FileResponse, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from console.accounts.models import User
from console.activity import log
from console.jobs.models import OPEN, Job, State
from console.lib import clock, htmx, keyset
from console.lib.access import access
from console.lib.capability import Capability
from console.lib.errors import NotFoundError
from console.servers.current import current
from trust.actions import Action
from trust.clients import adoption, counting, exporting, listing
from trust.clients.forms import ClientFilter
from trust.clients.rows import rows
from trust.clients.shares import Shares
from trust.jobs import EXPORT_CLIENTS

EXPORTS_SHOWN = 20


@access(Capability.READ)
@require_safe
def clients(request: HttpRequest) -> HttpResponse:
    """Show how each client last registered, or only the table for a fragment request."""
    now = clock.now()
    form = ClientFilter(request.GET)
    sort = keyset.chosen(request.GET.get("sort"), listing.SORTS, listing.SORTS[0])
    listed = listing.listed(form.wanted, sort=sort, cursor=request.GET.get("at", ""))
    context = {
        "form": form,
        "wanted": form.wanted,
        "page": listed.page,
        "notice": listed.notice,
        "rows": rows(listed.page.rows, now),
        "shares": Shares.of(counting.last(), now),
    }
    if htmx.wants_fragment(request):
        return render(request, "trust/clients/list.html#grid", context)
    return render(request, "trust/clients/list.html", context | {"adoption": adoption.shown(current(), now)})


@access(Capability.READ)
@require_http_methods(["GET", "HEAD", "POST"])
def export(request: HttpRequest) -> HttpResponse:
    """Show what would be exported, and one's earlier exports; POST starts one."""
    user = cast("User", request.user)
    form = ClientFilter(request.POST if request.method == "POST" else request.GET)
    if request.method == "POST" and form.is_valid():
        exporting.request(form.wanted, actor=user.actor)
        return redirect("trust:clients-export")
    jobs = Job.objects.filter(kind_name=EXPORT_CLIENTS.name, actor_id=str(user.pk)).order_by("-created_at", "-id")
    context = {
        "form": form,
        "wanted": form.wanted,
        "running": jobs.filter(state__in=OPEN).first(),
        "exports": jobs.filter(state=State.SUCCEEDED)[:EXPORTS_SHOWN],
    }
    return render(request, "trust/clients/export.html", context, status=422 if request.method == "POST" else 200)


@access(Capability.READ)
@require_POST
def download(request: HttpRequest, job_id: UUID) -> HttpResponseBase:
    """Hand out an export to whom it was made for; the log says that it was taken."""
    user = cast("User", request.user)
    job = Job.objects.filter(pk=job_id, kind_name=EXPORT_CLIENTS.name, state=State.SUCCEEDED).first()
    path = exporting.path_of(job_id)
    if job is None or job.actor_id != str(user.pk) or not path.is_file():
        raise NotFoundError(
            "You have no such export. Its file is deleted together with its job, after 90 days.",
            next_step="Export the clients again.",
        )
    with transaction.atomic():
        details = {"sha256": job.result["sha256"]}
        log.append(Action.CLIENTS_DOWNLOADED, job.as_subject, actor=user.actor, details=details)
    name = f"clients-{job.created_at:%Y-%m-%dT%H%M}Z.csv"
    return FileResponse(path.open("rb"), as_attachment=True, filename=name, content_type="text/csv; charset=utf-8")
