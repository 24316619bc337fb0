"""Security Objects: the table over all groups, and its export."""

from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from console.accounts.asking import user_of
from console.accounts.models import User
from console.jobs import exportpages
from console.lib import htmx, keyset
from console.lib.access import access
from console.lib.capability import Capability
from hsm.browsing import queries
from hsm.browsing.exporting import EXPORT
from hsm.browsing.forms import ObjectFilter
from hsm.browsing.rows import rows
from hsm.models.groups import Group, GroupMember, GroupRole
from hsm.rights import visible_groups


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
    form = ObjectFilter(visible_groups(user_of(request)), exportpages.sent(request))
    return exportpages.page(request, EXPORT, form, "hsm/objects/export.html")


@access(Capability.SIGNED_IN)
@require_POST
def download(request: HttpRequest, job_id: UUID) -> HttpResponseBase:
    """Hand out an export to whom it was made for: it holds what that user may see."""
    return exportpages.hand_out(request, EXPORT, job_id)


def _may_add(user: User, groups: dict[UUID, Group]) -> bool:
    if user.may(Capability.MANAGE_HSM):
        return bool(groups)
    return GroupMember.objects.filter(user=user, role=GroupRole.ADMINISTRATOR, group__in=groups).exists()
