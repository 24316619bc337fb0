"""The activity log: the grid of everything, one entry, Verify, and export."""

import json
from typing import Any
from uuid import UUID

from django.db import transaction
from django.http import FileResponse, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from console.accounts.models import User
from console.activity import export as exporting
from console.activity import heads, log
from console.activity.actions import Action
from console.activity.forms import ActivityFilter
from console.activity.jobs import EXPORT, VERIFY
from console.activity.models import Entry, Head, SignedHead
from console.jobs import queue
from console.jobs.kinds import JobKind
from console.jobs.models import OPEN, Job, State
from console.lib import htmx, keyset
from console.lib.access import access
from console.lib.capability import Capability
from console.lib.errors import NotFoundError, RefusedError

EXPORTS_SHOWN = 20


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
    if request.method == "POST":
        _start_once(VERIFY, _user(request))
        return redirect("activity:verify")
    jobs = Job.objects.filter(kind_name=VERIFY.name).select_related("server").order_by("-created_at")
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
    form = ActivityFilter(request.POST if request.method == "POST" else request.GET)
    if request.method == "POST" and form.is_valid():
        with transaction.atomic():
            queue.enqueue(EXPORT, subject=heads.LOG, actor=_user(request).actor, params=form.wanted.as_params())
        return redirect("activity:export")
    jobs = Job.objects.filter(kind_name=EXPORT.name).select_related("server").order_by("-created_at", "-id")
    context = {
        "form": form,
        "wanted": form.wanted,
        "running": jobs.filter(state__in=OPEN).first(),
        "exports": jobs.filter(state=State.SUCCEEDED)[:EXPORTS_SHOWN],
    }
    return render(request, "activity/export.html", context, status=422 if request.method == "POST" else 200)


@access(Capability.READ)
@require_POST
def download(request: HttpRequest, job_id: UUID) -> HttpResponseBase:
    """Hand out the file of an export to whoever may read the log now; the log says who took it."""
    user = _user(request)
    job = Job.objects.filter(pk=job_id, kind_name=EXPORT.name, state=State.SUCCEEDED).first()
    path = exporting.path_of(job_id)
    if job is None or not path.is_file():
        raise NotFoundError(
            "There is no such export. Its file is deleted together with its job, after 90 days.",
            next_step="Export the entries again.",
        )
    with transaction.atomic():
        log.append(Action.EXPORT_DOWNLOADED, job.as_subject, actor=user.actor, details={"sha256": job.result["sha256"]})
    name = f"activity-log-{job.created_at:%Y-%m-%dT%H%M}Z.csv"
    return FileResponse(path.open("rb"), as_attachment=True, filename=name, content_type="text/csv; charset=utf-8")


def _start_once(kind: JobKind, user: User) -> None:
    with transaction.atomic():
        if not Job.objects.filter(kind_name=kind.name, state__in=OPEN).exists():
            queue.enqueue(kind, subject=heads.LOG, actor=user.actor)


def _user(request: HttpRequest) -> User:
    if not isinstance(request.user, User):  # AccessMiddleware lets nobody else through
        raise RefusedError("Sign in first.")
    return request.user
