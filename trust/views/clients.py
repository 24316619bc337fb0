"""Client Status, and its export."""

from uuid import UUID

from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from console.jobs import exportpages
from console.lib import clock, htmx, keyset
from console.lib.access import access
from console.lib.capability import Capability
from console.navigation import may
from console.servers.current import current
from trust.clients import adoption, counting, listing, readmission
from trust.clients.exporting import EXPORT
from trust.clients.forms import ClientFilter
from trust.clients.rows import rows
from trust.clients.shares import Shares


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
    server = current()
    context |= {
        "adoption": adoption.shown(server, now),
        "readmission": (decided := readmission.standing(server, now)),
        "restored": None if decided else readmission.offered(server, now),
        "may_manage": may(request, Capability.MANAGE_CLIENTS),
    }
    return render(request, "trust/clients/list.html", context)


@access(Capability.READ)
@require_http_methods(["GET", "HEAD", "POST"])
def export(request: HttpRequest) -> HttpResponse:
    """Show what would be exported, and one's earlier exports; POST starts one."""
    return exportpages.page(request, EXPORT, ClientFilter(exportpages.sent(request)), "trust/clients/export.html")


@access(Capability.READ)
@require_POST
def download(request: HttpRequest, job_id: UUID) -> HttpResponseBase:
    """Hand out an export to whom it was made for; the log says that it was taken."""
    return exportpages.hand_out(request, EXPORT, job_id)
