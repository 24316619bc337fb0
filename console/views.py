"""The console's own pages: Home, theme, help, support bundle, and health."""

from uuid import UUID

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.shortcuts import redirect, render
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from console import health, help_pages, support
from console import home as registry
from console.accounts import sections
from console.accounts.asking import actor_of, user_of
from console.jobs import exportpages, queue
from console.lib.access import access
from console.lib.capability import Capability
from console.lib.passive import passive
from console.lib.themes import COOKIE, THEMES
from console.servers.current import current
from hsm.rights import sees_a_group

YEAR_S = 365 * 24 * 3600


@access(Capability.SIGNED_IN)
@require_safe
def home(request: HttpRequest) -> HttpResponse:
    """Show Environment Status to who may read, and to everybody else what they can do."""
    user = user_of(request)
    panels = registry.panels(request)
    may_ask = user.may(Capability.ASK_QUESTIONS)
    if not user.may(Capability.READ):
        mine = sections.sections(user, viewer=user) if sees_a_group(user) else []
        template = "home/some.html" if panels else "home/no_role.html"
        return render(request, template, {"sections": mine, "panels": panels, "may_ask": may_ask})
    steps = registry.steps(request)
    done = sum(step.done for step in steps)
    return render(request, "home/home.html", {"panels": panels, "steps": steps, "steps_done": done, "may_ask": may_ask})


@access(Capability.PUBLIC)
@require_POST
def theme(request: HttpRequest) -> HttpResponse:
    """Keep the chosen theme in a cookie, and go back."""
    target = request.POST.get("next", "")
    if not url_has_allowed_host_and_scheme(target, {request.get_host()}, require_https=request.is_secure()):
        target = "/"
    response = redirect(target)
    chosen = request.POST.get("theme")
    if chosen in THEMES:
        response.set_cookie(COOKIE, chosen, max_age=YEAR_S, secure=settings.HTTPS, httponly=True, samesite="Lax")
    return response


@access(Capability.SIGNED_IN)
@require_safe
def help_index(request: HttpRequest) -> HttpResponse:
    """List the help pages."""
    return render(request, "help/index.html", {"pages": help_pages.PAGES})


@access(Capability.SIGNED_IN)
@require_safe
def help_page(request: HttpRequest, slug: str) -> HttpResponse:
    """Show one help page."""
    page = help_pages.page(slug)
    return render(request, f"help/{page.slug}.html", {"page": page, "pages": help_pages.PAGES})


@access(Capability.READ)
@require_http_methods(["GET", "HEAD", "POST"])
def support_bundle(request: HttpRequest) -> HttpResponse:
    """Show the bundles that were made; POST makes one, unless one is being made."""
    if request.method == "POST":
        here = support.BUNDLES.here()
        queue.enqueue_once(support.BUNDLE, among=here, subject=current().subject, actor=actor_of(request))
        return redirect("console:support")
    return render(request, "help/support.html", support.BUNDLES.shown(user_of(request)))


@access(Capability.READ)
@require_POST
def support_download(request: HttpRequest, job_id: UUID) -> HttpResponseBase:
    """Hand out a bundle; the log says who took it."""
    return exportpages.hand_out(request, support.BUNDLES, job_id)


@access(Capability.PUBLIC)
@passive
@require_safe
def live(_request: HttpRequest) -> JsonResponse:
    """Answer as long as this process can."""
    return JsonResponse({"status": "ok"})


@access(Capability.PUBLIC)
@passive
@require_safe
def ready(_request: HttpRequest) -> JsonResponse:
    """Answer 200 when requests can be served, else 503, with the part that is missing."""
    found = health.ready()
    good = all(found.values())
    body = {
        "status": "ok" if good else "unavailable",
        "checks": {name: "ok" if ok else "failed" for name, ok in found.items()},
    }
    return JsonResponse(body, status=200 if good else 503)
