"""Pages about tokens. Nothing here reaches a module: what needs one is a job."""

from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_POST

from console.accounts.asking import actor_of, user_of
from console.jobs.models import Job
from console.lib import clock, htmx
from console.lib.access import access
from console.lib.capability import Capability
from console.lib.errors import InvalidError, NotFoundError
from console.lib.passive import passive
from console.servers.current import current
from hsm import holders, requests, uses
from hsm.forms import RebindForm
from hsm.jobs import CHECK, REBIND
from hsm.models.tokens import PinTrial, TokenBinding, TokenCapability
from hsm.report import last_check, report
from hsm.rights import visible_groups


@require_POST
@access(Capability.MANAGE_HSM)
def check(request: HttpRequest) -> HttpResponse:
    """Check HSM integration."""
    requests.check(actor=actor_of(request))
    return redirect("hsm:checked")


@require_GET
@access(Capability.READ)
def checked(request: HttpRequest) -> HttpResponse:
    """Show the newest check, line by line, while it runs and after."""
    job = last_check()
    context = {
        "report": report(job, clock.now()) if job else None,
        "may_check": user_of(request).may(Capability.MANAGE_HSM),
    }
    return render(request, "hsm/checked.html", context)


@require_GET
@passive
@access(Capability.READ)
def check_report(request: HttpRequest, job_id: UUID) -> HttpResponse:
    """Answer the page that asks again by itself."""
    job = Job.objects.filter(pk=job_id, kind_name=CHECK.name).first()
    if job is None:
        raise NotFoundError("There is no such check any more.")
    polls, since = (_whole(request.GET.get(name, "")) for name in ("polls", "since"))
    shown = report(job, clock.now(), polls=polls, since=since)
    response = render(request, "hsm/checked.html#report", {"report": shown})
    return response if job.is_open else htmx.say(response, f"Check HSM integration: {job.message}")


@require_POST
@access(Capability.MANAGE_HSM)
def list_tokens(request: HttpRequest) -> HttpResponse:
    """Ask the module which tokens it has; the guided page shows the answer."""
    requests.list_tokens(actor=actor_of(request))
    step = "module" if request.POST.get("step") == "module" else "token"
    return redirect(reverse("keys:integration-step", args=[step]))


@require_GET
@access(Capability.READ)
def binding(request: HttpRequest, binding_id: UUID) -> HttpResponse:
    """Show one token that keys live on, or lived on."""
    found = _binding(binding_id)
    where = {"module_path": found.module_path, "label": found.label, "serial": found.serial}
    context: dict[str, Any] = {
        "binding": found,
        "keys": holders.keys_on(found),
        "groups": uses.groups_on(found, visible_groups(user_of(request))),
        "capability": TokenCapability.objects.filter(server=found.server, **where).first(),
        "trial": PinTrial.objects.filter(**where).order_by("-claimed_at").first(),
        "form": RebindForm(),
        "job": Job.objects.filter(kind_name=REBIND.name, subject_id=str(found.pk)).first(),
        "may_change": user_of(request).may(Capability.MANAGE_HSM),
    }
    return render(request, "hsm/binding.html", context)


@require_POST
@access(Capability.MANAGE_HSM)
def rebind(request: HttpRequest, binding_id: UUID) -> HttpResponse:
    """Re-bind keys."""
    form = RebindForm(request.POST)
    if not form.is_valid():
        raise InvalidError("Choose on which token the keys are looked for. Nothing was changed.")
    requests.rebind(_binding(binding_id), form.cleaned_data["key"], actor=actor_of(request))
    return redirect("hsm:binding", binding_id)


def _binding(binding_id: UUID) -> TokenBinding:
    found = TokenBinding.objects.filter(pk=binding_id, server=current()).first()
    if found is None:
        raise NotFoundError("This server knows no such token.")
    return found


def _whole(text: str) -> int:
    return int(text) if text.isdecimal() and len(text) < 12 else 0
