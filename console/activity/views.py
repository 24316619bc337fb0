"""The activity log: the grid of everything, one entry, Verify, and export."""

import json
from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from console.accounts.asking import actor_of
from console.activity import heads
from console.activity.forms import ActivityFilter
from console.activity.jobs import EXPORT, VERIFY
from console.activity.models import Entry, Head, SignedHead
from console.jobs import exportpages, queue
from console.jobs.models import OPEN, Job
from console.lib import htmx, keyset
from console.lib.access import access
from console.lib.capability import Capability
from console.lib.errors import NotFoundError


@access(Capability.READ)
@require_safe
def index(request: HttpRequest) -> HttpResponse:
    """Show the grid, newest first, or only the grid for a fragment request."""
    form = ActivityFilter(request.GET)
    # An end in the past is found by the index over the times; by number all newer entries would be read first.
    sort = "-at" if form.wanted.until else "-seq"
    page = keyset.page(form.wanted.entries(), sort=sort, cursor=request.GET.get("at", ""))
    context = {"form": form, "wanted": form.wanted, "page": page, "entries": page.rows}
    template = "activity/list.html#grid" if htmx.wants_fragment(request) else "activity/list.html"
    return render(request, template, context)


@access(Capability.READ)
@require_safe
def entry(request: HttpRequest, seq: int) -> HttpResponse:
    """Show all that an entry holds, and what proves it."""
    shown = Entry.objects.filter(seq=seq).first()
    if shown is None:
        raise NotFoundError(f"The activity log has no entry {seq}.")
    context = {
        "entry": shown,
        "details": _details(shown),
        "holds": shown.computed_hash() == shown.hash,
        "proof": SignedHead.objects.filter(seq__gte=seq).order_by("seq").first(),
        "neighbours": set(Entry.objects.filter(seq__in=(seq - 1, seq + 1)).values_list("seq", flat=True)),
        "before": seq - 1,
        "after": seq + 1,
    }
    return render(request, "activity/entry.html", context)


def _details(shown: Entry) -> list[tuple[str, str]]:
    """Return the details as names and texts; text that is no JSON object is shown as it is."""
    try:
        found = json.loads(shown.details)
    except ValueError:
        return [("details", shown.details)]
    if not isinstance(found, dict):
        return [("details", shown.details)]
    return [(name, value if isinstance(value, str) else json.dumps(value)) for name, value in found.items()]


@access(Capability.READ)
@require_http_methods(["GET", "HEAD", "POST"])
def verify(request: HttpRequest) -> HttpResponse:
    """Show what the last verification found; POST starts one, or leads to the one that runs."""
    jobs = Job.objects.filter(kind_name=VERIFY.name).select_related("server").order_by("-created_at")
    if request.method == "POST":
        queue.enqueue_once(VERIFY, among=jobs, subject=heads.LOG, actor=actor_of(request))
        return redirect("activity:verify")
    running = jobs.filter(state__in=OPEN).first()
    last = jobs.exclude(result={}).exclude(state__in=OPEN).first()
    context: dict[str, Any] = {
        "running": running,
        "last": last,
        "report": last.result if last else None,
        "head": Head.objects.filter(pk=1).first(),
        "signed": SignedHead.objects.order_by("-seq").first(),
    }
    return render(request, "activity/verify.html", context)


@access(Capability.READ)
@require_http_methods(["GET", "HEAD", "POST"])
def export(request: HttpRequest) -> HttpResponse:
    """Show what would be exported, and earlier exports; POST starts one."""
    return exportpages.page(request, EXPORT, ActivityFilter(exportpages.sent(request)), "activity/export.html")


@access(Capability.READ)
@require_POST
def download(request: HttpRequest, job_id: UUID) -> HttpResponseBase:
    """Hand out the file of an export to whoever may read the log now; the log says who took it."""
    return exportpages.hand_out(request, EXPORT, job_id)
