"""Current Server: one tile for each active root, and what is going on with them (NAV-02, KEY-12 to KEY-23)."""

from typing import Any

from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods
from django_htmx.http import reswap, retarget

from console.accounts.asking import actor_of
from console.jobs.models import OPEN, Job, State
from console.lib import clock, htmx
from console.lib.access import access
from console.lib.capability import Capability
from console.navigation import may
from console.servers.current import current
from console.servers.models import Server
from keys import hierarchy, jobs, places, revocation, roots, tiles
from keys.forms import CreateForm
from keys.models.root import UNSETTLED, Root
from keys.models.subordinate import Subordinate
from keys.purposes import Purpose
from keys.standing import Standing

AT_WORK = [kind.name for kind in (jobs.CREATE_ROOT, jobs.CROSS_CERTIFY, jobs.REMAKE_SUBORDINATES, jobs.DESTROY_KEY)]


@require_GET
@access(Capability.READ)
def current_server(request: HttpRequest) -> HttpResponse:
    """Show the root keys of this server; a fragment request gets the part that changes."""
    server = current()
    template = "keys/current.html#region" if htmx.wants_fragment(request) else "keys/current.html"
    context = {
        **region(server),
        "as_list": request.GET.get("hierarchy") == "list",
        "may_manage": may(request, Capability.MANAGE_KEYS),
    }
    return render(request, template, context)


def region(server: Server) -> dict[str, Any]:
    """Return what Current Server shows."""
    # Before the roots: a job that ends between the two readings is still shown, and its card asks for the page anew.
    at_work = list(_at_work(server))
    standing = Standing.read(server)
    now = clock.now()
    newest = standing.newest
    shown = tiles.tiles(standing)
    below = sorted(
        Subordinate.objects.active(server).select_related("binding", "root"),
        key=lambda key: list(Purpose).index(Purpose(key.purpose)),
    )
    return {
        "server": server,
        "tiles": shown,
        "newest": newest,
        "replaced": [tile for tile in shown if tile.look == "retiring"],
        "unsettled": Root.objects.filter(server=server, state__in=UNSETTLED),
        "offers": revocation.offers(standing),
        "advice": tiles.advice(standing, now),
        "jobs": at_work,
        "picture": _picture(newest, below) if newest else None,
        "elsewhere": [key for key in below if newest and key.root_id != newest.pk],
        "below": [tiles.key_line(key) for key in below if newest and key.root_id == newest.pk],
    }


def _at_work(server: Server) -> QuerySet[Job]:
    """Return the jobs whose cards keep the page fresh; a revocation that waits for its date shows on its tile."""
    revoking = Q(kind_name=jobs.REVOKE_ROOT.name, state__in=(State.QUEUED, State.RUNNING))
    at_work = Q(kind_name__in=AT_WORK, state__in=OPEN)
    return Job.objects.filter(revoking | at_work, server=server).order_by("created_at")


def _picture(newest: Root, below: list[Subordinate]) -> hierarchy.Picture:
    mine = [key for key in below if key.root_id == newest.pk]
    urls: dict[object, str] = {key.pk: reverse("keys:subordinate", args=[key.pk]) for key in mine}
    urls[newest.pk] = reverse("keys:root", args=[newest.pk])
    return hierarchy.picture(hierarchy.tree(newest, mine, clock.now(), urls))


@require_http_methods(["GET", "POST"])
@access(Capability.MANAGE_KEYS)
def create(request: HttpRequest) -> HttpResponse:
    """Ask before a key is created, and request it."""
    form = CreateForm(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        data = form.cleaned_data
        root, _ = roots.request(
            actor=actor_of(request),
            form_token=data["token"],
            in_doubt=data["in_doubt"],
        )
        return _requested(request, root)
    standing = Standing.read(current())
    context = {"form": form, "place": places.of_next(Purpose.ROOT), "too_soon": tiles.too_soon(standing, clock.now())}
    part = "#form" if request.method == "POST" else "#dialog"
    template = f"keys/create.html{part}" if htmx.wants_fragment(request) else "keys/create.html"
    return render(request, template, context, status=422 if form.is_bound else 200)


def _requested(request: HttpRequest, root: Root) -> HttpResponse:
    if not request.htmx:  # type: ignore[attr-defined]
        return redirect("keys:current-server")
    return done_in_place(f"{root.name} was requested.")


def done_in_place(text: str) -> HttpResponse:
    """Answer a form of a dialog: an empty #modal takes the dialog away, and the page behind it refreshes itself."""
    response = reswap(retarget(htmx.toast(HttpResponse(), "ok", text), "#modal"), "innerHTML")
    return htmx.refocus(htmx.event(response, "keys-changed", {}), "main")
