"""Pages over all keys: the grid All Root Keys, the rotation workflow, propagation, and troubleshooting."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from console.activity.models import Entry
from console.lib import clock, keyset
from console.lib.access import access
from console.lib.capability import Capability
from console.servers.current import current
from keys import propagation, tiles, workflow
from keys.actions import LABELS
from keys.standing import Standing


@require_GET
@access(Capability.READ)
def activity(request: HttpRequest) -> HttpResponse:
    """Show all root keys, revoked ones too, and the operations on keys (LOG-01 to LOG-04)."""
    operations = Entry.objects.filter(action__in=list(LABELS))
    page = keyset.page(operations, sort="-seq", cursor=request.GET.get("at", ""))
    context = {"rows": tiles.rows(Standing.read(current())), "page": page}
    return render(request, "keys/activity.html", context)


@require_GET
@access(Capability.READ)
def rotation_workflow(request: HttpRequest) -> HttpResponse:
    """Show the steps of a rotation in their order, done or open (KEY-32 to KEY-38)."""
    standing = Standing.read(current())
    steps = workflow.steps(standing, clock.now())
    return render(request, "keys/workflow.html", {"steps": steps, "advice": tiles.advice(standing, clock.now())})


@require_GET
@access(Capability.READ)
def propagation_list(request: HttpRequest) -> HttpResponse:
    """Show how far each component is with the newest root (KEY-57)."""
    server = current()
    components = propagation.components(server)
    finished, known = propagation.followed(components)
    context = {
        "components": components,
        "newest": Standing.read(server).newest,
        "finished": finished,
        "known": known,
    }
    return render(request, "keys/propagation.html", context)


@require_GET
@access(Capability.READ)
def troubleshooting(request: HttpRequest) -> HttpResponse:
    """Show what to do about keys and certificates that do not work (KEY-56)."""
    return render(request, "keys/troubleshooting.html")
