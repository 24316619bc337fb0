"""Sync keys: start it, watch it, read its report; and virtual keys that were deleted."""

from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST, require_safe
from django_htmx.http import HTMX_STOP_POLLING

from console.accounts.asking import actor_of
from console.jobs.card import Watch
from console.jobs.models import Job, State
from console.lib import htmx, keyset
from console.lib.access import access
from console.lib.capability import Capability
from console.lib.errors import ConsoleError, InvalidError, NotFoundError
from console.lib.passive import passive
from hsm.jobs import SYNC
from hsm.models.objects import Tombstone
from hsm.rights import Right
from hsm.syncing import intervals, requests, tombstones
from hsm.syncing.card import card
from hsm.syncing.forms import IntervalForm
from hsm.syncing.parts import parts
from hsm.views.scope import group_of, may_manage


@access(Capability.SIGNED_IN)
@require_http_methods(["GET", "HEAD", "POST"])
def sync(request: HttpRequest, group_id: UUID) -> HttpResponse:
    """Sync keys; a GET leads to the tab with the card."""
    if request.method != "POST":
        return redirect("hsm:group-hsm", group_of(request, group_id, Right.SEE).pk)
    group = group_of(request, group_id, Right.MANAGE)
    requests.sync(group, actor=actor_of(request))
    if htmx.wants_fragment(request):
        return render(request, "hsm/sync/card.html", {"group": group})
    return redirect("hsm:group-hsm", group.pk)


@access(Capability.SIGNED_IN)
@require_http_methods(["GET", "HEAD", "POST"])
def sync_interval(request: HttpRequest, group_id: UUID) -> HttpResponse:
    """Set how often a group is synced by itself, or never."""
    group = group_of(request, group_id, Right.MANAGE)
    form = IntervalForm(request.POST if request.method == "POST" else None, initial={"every": group.sync_every_h or ""})
    if request.method == "POST" and form.is_valid():
        intervals.choose(group, form.hours, actor=actor_of(request))
        messages.success(request, f"Sync of “{group.title}” by itself: {form.words}.")
        return htmx.go(request, reverse("hsm:group-hsm", args=[group.pk]))
    part = "#form" if request.method == "POST" else "#dialog"
    template = f"hsm/sync/interval.html{part if htmx.wants_fragment(request) else ''}"
    context = {"group": group, "form": form, "tab": "hsm", "may_manage": True}
    return render(request, template, context, status=422 if form.is_bound else 200)


@access(Capability.SIGNED_IN)
@passive
@require_safe
def sync_card(request: HttpRequest, group_id: UUID) -> HttpResponse:
    """Answer one poll, as the card of a job does."""
    group = group_of(request, group_id, Right.SEE)
    made = card(group, Watch.read(request.GET))
    response = render(request, "hsm/sync/card.html", {"group": group, "sync": made})
    if made.watched and made.watched.news:
        htmx.say(response, made.watched.news)
    if not made.running:
        response.status_code = HTMX_STOP_POLLING
        if made.job:
            htmx.event(response, "job-finished", {"id": str(made.job.pk), "state": made.job.state})
    return response


@access(Capability.SIGNED_IN)
@require_safe
def report(request: HttpRequest, job_id: UUID) -> HttpResponse:
    """Show what one sync did."""
    job = Job.objects.filter(pk=job_id, kind_name=SYNC.name, state=State.SUCCEEDED).first()
    if job is None:
        raise NotFoundError("There is no such report. Reports are kept as long as their jobs, 90 days.")
    group = group_of(request, UUID(job.subject_id), Right.SEE)
    context = {
        "group": group,
        "job": job,
        "result": job.result,
        "parts": parts(job.result),
        "may_manage": may_manage(request, group),
        "tab": "hsm",
    }
    return render(request, "hsm/sync/report.html", context)


@access(Capability.SIGNED_IN)
@require_safe
def list_tombstones(request: HttpRequest, group_id: UUID) -> HttpResponse:
    """Show the virtual keys that were deleted while their keys stay in the HSM."""
    group = group_of(request, group_id, Right.SEE)
    graves = Tombstone.objects.filter(group=group)
    context = {
        "group": group,
        "page": keyset.page(graves, sort="-deleted_at", cursor=request.GET.get("at", "")),
        "may_manage": may_manage(request, group),
        "tab": "hsm",
    }
    template = "hsm/sync/tombstones.html#grid" if htmx.wants_fragment(request) else "hsm/sync/tombstones.html"
    return render(request, template, context)


@access(Capability.SIGNED_IN)
@require_POST
def import_again(request: HttpRequest, group_id: UUID) -> HttpResponse:
    """Import again: one deleted virtual key, or all of the group; a sync starts at once where it can."""
    group = group_of(request, group_id, Right.MANAGE)
    actor = actor_of(request)
    graves = Tombstone.objects.filter(group=group)
    if not request.POST.get("all"):
        graves = graves.filter(pk=_uuid(request.POST.get("grave", "")))
    number = tombstones.import_again(group, graves, actor=actor)
    if not number:
        raise NotFoundError("There is no such deleted virtual key, or it is on its way already. Nothing was changed.")
    try:
        requests.sync(group, actor=actor)
    except ConsoleError as error:
        messages.warning(request, f"Noted for the next sync, which could not be started now: {error.message}")
        return redirect("hsm:tombstones", group.pk)
    messages.success(request, f"A sync has begun, which imports {number} key{'' if number == 1 else 's'} again.")
    return redirect("hsm:group-hsm", group.pk)


def _uuid(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError as error:
        raise InvalidError("Choose which key is imported again. Nothing was changed.") from error
