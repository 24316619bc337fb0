"""Security Objects: the table over all groups, and its export."""

from typing import Any
from uuid import UUID

from django.db import transaction
from django.http import FileResponse, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from console.accounts.models import User
from console.activity import log
from console.jobs.models import OPEN, Job, State
from console.lib import htmx, keyset
from console.lib.access import access
from console.lib.capability import Capability
from console.lib.errors import NotFoundError
from hsm.actions import Action
from hsm.browsing import exporting, queries
from hsm.browsing.forms import ObjectFilter
from hsm.browsing.rows import rows
from hsm.jobs import EXPORT_OBJECTS
from hsm.models.groups import Group, GroupMember, GroupRole
from hsm.rights import visible_groups
from hsm.views.scope import user_of

EXPORTS_SHOWN = 20


@access(Capability.SIGNED_IN)
@require_safe
def objects(request: HttpRequest) -> HttpResponse:
    """Show the table, newest first, or only the table for a fragment request."""
    user = user_of(request)
    groups = {group.pk: group for group in visible_groups(user)}
    form = ObjectFilter(groups.values(), request.GET)
    found = form.wanted.objects(user)
    sort = keyset.chosen(request.GET.get("sort"), queries.SORTS, queries.SORTS[0])
    page = keyset.page(found, sort=sort, cursor=request.GET.get("at", ""))
    context: dict[str, Any] = {
        "form": form,
        "wanted": form.wanted,
        "page": page,
        "rows": rows(page.rows, groups),
        "groups": groups.values(),
        "group": next((one for one in groups.values() if str(one.pk) == form.wanted.group), None),
        "may_add": _may_add(user, groups),
        "may_make_groups": user.may(Capability.MANAGE_HSM),
        "count": queries.count_up_to(found),
        "most_counted": queries.MOST_COUNTED,
    }
    template = "hsm/objects/list.html#grid" if htmx.wants_fragment(request) else "hsm/objects/list.html"
    return render(request, template, context)


@access(Capability.SIGNED_IN)
@require_http_methods(["GET", "HEAD", "POST"])
def export(request: HttpRequest) -> HttpResponse:
    """Show what would be exported, and one's earlier exports; POST starts one."""
    user = user_of(request)
    form = ObjectFilter(visible_groups(user), request.POST if request.method == "POST" else request.GET)
    if request.method == "POST" and form.is_valid():
        exporting.request(form.wanted, actor=user.actor)
        return redirect("hsm:objects-export")
    mine = Job.objects.filter(kind_name=EXPORT_OBJECTS.name, actor_id=str(user.pk)).order_by("-created_at", "-id")
    context = {
        "form": form,
        "wanted": form.wanted,
        "running": mine.filter(state__in=OPEN).first(),
        "exports": mine.filter(state=State.SUCCEEDED)[:EXPORTS_SHOWN],
    }
    return render(request, "hsm/objects/export.html", context, status=422 if request.method == "POST" else 200)


@access(Capability.SIGNED_IN)
@require_POST
def download(request: HttpRequest, job_id: UUID) -> HttpResponseBase:
    """Hand out an export to whom it was made for: it holds what that user may see."""
    user = user_of(request)
    job = Job.objects.filter(pk=job_id, kind_name=EXPORT_OBJECTS.name, state=State.SUCCEEDED).first()
    path = exporting.path_of(job_id)
    if job is None or job.actor_id != str(user.pk) or not path.is_file():
        raise NotFoundError(
            "You have no such export. Its file is deleted together with its job, after 90 days.",
            next_step="Export the security objects again.",
        )
    with transaction.atomic():
        log.append(
            Action.OBJECTS_DOWNLOADED, job.as_subject, actor=user.actor, details={"sha256": job.result["sha256"]}
        )
    name = f"security-objects-{job.created_at:%Y-%m-%dT%H%M}Z.csv"
    return FileResponse(path.open("rb"), as_attachment=True, filename=name, content_type="text/csv; charset=utf-8")


def _may_add(user: User, groups: dict[UUID, Group]) -> bool:
    if user.may(Capability.MANAGE_HSM):
        return bool(groups)
    return GroupMember.objects.filter(user=user, role=GroupRole.ADMINISTRATOR, group__in=groups).exists()
